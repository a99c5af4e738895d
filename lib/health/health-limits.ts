import type { Duration } from '../job/duration.js';
import {
  checkKeys,
  checkObject,
  duration,
  durationBetween,
  keysOf,
  wholeNumber,
  wrong,
} from '../job/check.js';

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

/** {@link FlowrraHealthOptions}, checked; times in milliseconds, `Infinity` for no limit. */
export interface HealthLimits {
  readonly timeout: number;
  readonly maxPending: number | ReadonlyMap<string, number>;
  readonly maxFailureRate: number;
  readonly window: number;
  readonly minFinished: number;
  readonly maxWait: number;
}

const KEYS = keysOf<FlowrraHealthOptions>({
  timeout: true,
  maxPending: true,
  maxFailureRate: true,
  window: true,
  minFinished: true,
  maxWait: true,
});

/** @throws {FlowrraConfigError} for an option that is unknown or wrong. */
export function resolveLimits(options: FlowrraHealthOptions): HealthLimits {
  checkKeys(options, KEYS, 'isHealthy');
  return {
    timeout: durationBetween(1, 3_600_000, options.timeout, 'timeout', 1_000),
    maxPending: resolvePending(options.maxPending),
    maxFailureRate: resolveRate(options.maxFailureRate),
    window: durationBetween(1_000, 3_600_000, options.window, 'window', 300_000),
    minFinished: wholeNumber(options.minFinished, 'minFinished', { min: 1, fallback: 10 }),
    maxWait: duration(options.maxWait, 'maxWait', Infinity),
  };
}

function resolvePending(value: FlowrraHealthOptions['maxPending']): HealthLimits['maxPending'] {
  const rule = { min: 0, infinite: true, fallback: Infinity };
  if (typeof value !== 'object') return wholeNumber(value, 'maxPending', rule);
  checkObject(value, 'maxPending', 'It must be a number, or numbers by queue.');
  return new Map(
    Object.entries(value).map(([queue, most]) => [queue, wholeNumber(most, `maxPending.${queue}`, rule)]),
  );
}

function resolveRate(value: unknown): number {
  if (value === undefined) return Infinity;
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw wrong('maxFailureRate', value, 'It must be a number from 0 to 1.');
}
