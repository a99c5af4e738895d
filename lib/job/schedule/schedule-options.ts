import { wrong } from '../check.js';
import type { Duration } from '../duration.js';
import { date, duration, oneOf, optional, OptionTable, type RulesOf } from '../rules.js';
import { checkCron, checkTimezone, type Timing } from './timetable.js';

/** Options of a schedule, beside its times. */
export interface ScheduleOptions {
  /**
   * The IANA time zone of a cron expression, such as `'Europe/Berlin'`. Not with `every`.
   *
   * @defaultValue `'UTC'`
   */
  timezone?: string;
  /**
   * No occurrence is before this time. With `every`, it is also the time from which intervals are counted.
   *
   * @defaultValue no limit; intervals are counted from 1970-01-01T00:00:00Z
   */
  start?: Date;
  /**
   * No occurrence is at this time or later.
   *
   * @defaultValue no limit
   */
  end?: Date;
  /**
   * Each occurrence is submitted up to this much later, by a delay that is derived from its name and time: so
   * that many schedules of one time spread their load. At most 1 day.
   *
   * @defaultValue `0`
   */
  jitter?: Duration;
  /**
   * Which occurrences are made up for that are more than a minute late, because no worker ran:
   * - `'skip'`: none.
   * - `'once'`: one job for all of them. `schedule.missed` of its context is their number.
   * - `'all'`: the last 100.
   *
   * @defaultValue `'skip'`
   */
  missed?: 'skip' | 'once' | 'all';
  /**
   * The effect of an occurrence whose previous job is unfinished:
   * - `'skip'`: it is skipped.
   * - `'queue'`: it is submitted when that job has ended. At most one occurrence waits; others are skipped.
   * - `'allow'`: it is submitted.
   *
   * @defaultValue `'skip'`
   */
  overlap?: 'skip' | 'queue' | 'allow';
}

/** The times and options of a schedule: either `cron` or `every`. */
export type ScheduleRuleOptions = ScheduleOptions &
  (
    | {
        /** A cron expression of 5 fields, or of 6 with seconds first; `L`, `W` and `#` are possible. */
        cron: string;
        every?: undefined;
      }
    | {
        /** The time between two occurrences: at least 1 s. */
        every: Duration;
        cron?: undefined;
      }
  );

/** A schedule's times and options, checked. It is stored as JSON. Times are milliseconds since the epoch. */
export interface ScheduleRule {
  readonly timing: Timing;
  readonly start: number | null;
  readonly end: number | null;
  /** Milliseconds. */
  readonly jitter: number;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: 'skip' | 'queue' | 'allow';
}

const MIN_EVERY_MS = 1_000;
const MAX_JITTER_MS = 86_400_000;

const SCHEDULE_RULES = new OptionTable({
  timezone: optional(checkTimezone),
  start: date,
  end: date,
  jitter: duration({ max: MAX_JITTER_MS, default: 0 }),
  missed: oneOf(['skip', 'once', 'all'], 'skip'),
  overlap: oneOf(['skip', 'queue', 'allow'], 'skip'),
  // Checked with its time zone, below.
  cron: (value: unknown): unknown => value,
  every: duration({ min: MIN_EVERY_MS }),
} satisfies RulesOf<ScheduleRuleOptions>);

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveScheduleRule(options: unknown, path: string): ScheduleRule {
  const checked = SCHEDULE_RULES.resolve(options, path);
  const { cron, every, timezone, start, end, jitter, missed, overlap } = checked;
  if ((cron === undefined) === (every === undefined))
    throw wrong(path, options, 'Give either cron, such as 0 6 * * 1-5, or every, such as 15m.');
  if (every !== undefined && timezone !== undefined)
    throw wrong(`${path}.timezone`, timezone, 'An interval has no time zone. Leave it out, or give cron.');
  if (start !== undefined && end !== undefined && end <= start)
    throw wrong(`${path}.end`, end, 'It must be later than start.');
  const zone = timezone ?? 'UTC';
  const timing: Timing =
    every === undefined
      ? { cron: checkCron(cron, `${path}.cron`, zone), timezone: zone }
      : { every, origin: start?.getTime() ?? 0 };
  const time = (limit: Date | undefined): number | null => limit?.getTime() ?? null;
  return { timing, start: time(start), end: time(end), jitter, missed, overlap };
}
