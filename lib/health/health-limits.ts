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

/** The limits beyond which Flowrra counts as down. */
export interface FlowrraHealthOptions {
  /** The longest time for the engine's answer: 1 ms to 1 h. @defaultValue `'1s'` */
  timeout?: Duration;
  /**
   * The largest number of jobs that wait, including delayed and retrying ones: in all queues together, or by queue.
   * @defaultValue no limit
   */
  maxPending?: number | Readonly<Record<string, number>>;
  /**
   * The largest share, from 0 to 1, of jobs that failed for good among the jobs that ended within `window` in this
   * process. Cancelled jobs do not count.
   * @defaultValue no limit
   */
  maxFailureRate?: number;
  /** The time over which `maxFailureRate` is measured: 1 s to 1 h. @defaultValue `'5m'` */
  window?: Duration;
  /** With fewer finished jobs in `window`, `maxFailureRate` is not checked; at least 1. @defaultValue 10 */
  minFinished?: number;
  /**
   * The longest wait of a job without delay for its first start. Of the jobs that this process submits, one in each
   * queue is watched at a time.
   * @defaultValue no limit
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
