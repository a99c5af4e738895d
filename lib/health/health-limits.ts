import type { Duration } from '../job/duration.js';
import { checkObject, wrong } from '../job/check.js';
import { duration, OptionTable, type Resolved, type RulesOf, wholeNumber } from '../job/rules.js';

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
  /**
   * The longest time by which a schedule may be overdue: 1 s or more. A schedule that is paused or orphaned is not
   * overdue. It needs an engine with schedules.
   * @defaultValue no limit
   */
  maxLateness?: Duration;
  /**
   * The longest time that a committed job may wait in the outbox for a relay. It needs `forRoot({ outbox })`.
   * @defaultValue no limit
   */
  maxOutboxAge?: Duration;
  /**
   * The largest number of jobs that no relay tries to hand on any more; at least 0. It needs `forRoot({ outbox })`.
   * @defaultValue no limit
   */
  maxOutboxStuck?: number;
}

const pendingLimit = wholeNumber({ min: 0, infinite: true, default: Infinity });

const RULES = new OptionTable({
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
  maxLateness: duration({ min: 1_000, default: Infinity }),
  maxOutboxAge: duration({ default: Infinity }),
  maxOutboxStuck: wholeNumber({ min: 0, infinite: true, default: Infinity }),
} satisfies RulesOf<FlowrraHealthOptions>);

/** {@link FlowrraHealthOptions}, checked; times in milliseconds, `Infinity` for no limit. */
export type HealthLimits = Resolved<typeof RULES>;

/** @throws {FlowrraConfigError} for an unknown option and for an invalid value. */
export function resolveLimits(options: FlowrraHealthOptions): HealthLimits {
  return RULES.resolve(options, 'isHealthy', '');
}
