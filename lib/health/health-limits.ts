import type { Duration } from '../job/duration.js';
import { checkObject, wrong } from '../job/check.js';
import { duration, resolve, type Resolved, type RulesOf, wholeNumber } from '../job/rules.js';

/** When Flowrra counts as down. What is left out is not looked at, except for `timeout`. */
export interface FlowrraHealthOptions {
  /** How long the engine may take to answer. Default 1 s. */
  timeout?: Duration;
  /** How many unfinished jobs may wait, delayed and retrying ones included: in all queues together, or by queue. */
  maxPending?: number | Readonly<Record<string, number>>;
  /** The share, 0 to 1, of jobs that have failed for good among those that have succeeded or failed lately in this process. */
  maxFailureRate?: number;
  /** What "lately" is: 1 s to 1 h. Default 5 min. */
  window?: Duration;
  /** With fewer than so many finished jobs in the window, `maxFailureRate` is not looked at. Default 10. */
  minFinished?: number;
  /**
   * How long a job that was due at once may wait for its first start. One job of each queue is watched at
   * a time, among those that this process submits.
   */
  maxWait?: Duration;
}

const pendingLimit = wholeNumber({ min: 0, infinite: true, default: Infinity });

const RULES = {
  timeout: duration({ min: 1, max: 3_600_000, default: '1s' }),
  maxPending(value: unknown, path): number | ReadonlyMap<string, number> {
    if (typeof value !== 'object') return pendingLimit(value, path);
    checkObject(value, path, 'It must be a number, or numbers by queue.');
    return new Map(
      Object.entries(value).map(([queue, most]) => [queue, pendingLimit(most, `${path}.${queue}`)]),
    );
  },
  maxFailureRate(value: unknown, path): number {
    if (value === undefined) return Infinity;
    if (typeof value === 'number' && value >= 0 && value <= 1) return value;
    throw wrong(path, value, 'It must be a number from 0 to 1.');
  },
  window: duration({ min: 1_000, max: 3_600_000, default: '5m' }),
  minFinished: wholeNumber({ min: 1, default: 10 }),
  maxWait: duration({ default: Infinity }),
} satisfies RulesOf<FlowrraHealthOptions>;

/** {@link FlowrraHealthOptions}, checked; times in milliseconds, `Infinity` for no limit. */
export type HealthLimits = Resolved<typeof RULES>;

/** @throws {FlowrraConfigError} for an unknown option and for an invalid value. */
export function resolveLimits(options: FlowrraHealthOptions): HealthLimits {
  return resolve(options, RULES, 'isHealthy', '');
}
