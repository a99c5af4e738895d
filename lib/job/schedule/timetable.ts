import { Cron } from 'croner';
import { wrong } from '../check.js';

/** When a schedule has its occurrences, apart from its start, its end and its jitter. */
export type Timing =
  | { readonly cron: string; readonly timezone: string }
  /** Milliseconds between two occurrences. They are counted from `origin`, in milliseconds since the epoch. */
  | { readonly every: number; readonly origin: number };

/** The times of a schedule's occurrences, in milliseconds since the epoch. */
export interface Timetable {
  /** The first time after `time`; `null` if there is none. */
  next(time: number): number | null;
  /** The last times before `time`, oldest first, at most `count`. */
  before(time: number, count: number): number[];
}

/** Croner knows no later time. */
const END_OF_CRON = Date.UTC(9999, 11, 30);
/** The latest time of a `Date`. */
const END_OF_TIME = 8_640_000_000_000_000;

const LONGEST_CRON = 1_000;
const FIELDS = /^\s*\S+(\s+\S+){4,5}\s*$/;

export function timetableOf(timing: Timing): Timetable {
  return 'cron' in timing ? new CronTimetable(timing.cron, timing.timezone) : new IntervalTimetable(timing);
}

/** @throws {FlowrraConfigError} if the expression is not valid, or has no occurrence. */
export function checkCron(value: unknown, path: string, timezone: string): string {
  const need =
    'It must be a cron expression of 5 fields, or of 6 with seconds first, such as 0 6 * * 1-5. L, W and # are possible.';
  // Croner also reads dates, and names such as @daily.
  if (typeof value !== 'string' || value.length > LONGEST_CRON || !FIELDS.test(value))
    throw wrong(path, value, need);
  let timetable: CronTimetable;
  try {
    timetable = new CronTimetable(value, timezone);
  } catch (error) {
    throw wrong(path, value, `${need} ${(error as Error).message}`);
  }
  if (timetable.next(Date.UTC(2000, 0, 1)) !== null) return value;
  throw wrong(path, value, 'The expression matches no date.');
}

/** @throws {FlowrraConfigError} if this Node does not know the time zone. */
export function checkTimezone(value: unknown, path: string): string {
  const need =
    "It must be the name of an IANA time zone, such as 'Europe/Berlin', or 'UTC', which is the default.";
  if (typeof value !== 'string' || value === '') throw wrong(path, value, need);
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return value;
  } catch {
    throw wrong(path, value, need);
  }
}

class CronTimetable implements Timetable {
  private readonly cron: Cron;

  constructor(expression: string, timezone: string) {
    this.cron = new Cron(expression, { timezone, paused: true, mode: '5-or-6-parts' });
  }

  next(time: number): number | null {
    // Croner counts in whole seconds, and returns the first one after the second of `time`.
    return time < END_OF_CRON ? (this.cron.nextRun(new Date(time))?.getTime() ?? null) : null;
  }

  before(time: number, count: number): number[] {
    return this.cron
      .previousRuns(count, new Date(time))
      .map((date) => date.getTime())
      .reverse();
  }
}

class IntervalTimetable implements Timetable {
  private readonly every: number;
  private readonly origin: number;

  constructor({ every, origin }: { readonly every: number; readonly origin: number }) {
    this.every = every;
    this.origin = origin;
  }

  next(time: number): number | null {
    const next = this.at(Math.floor((time - this.origin) / this.every) + 1);
    return next > END_OF_TIME ? null : next;
  }

  before(time: number, count: number): number[] {
    const last = Math.ceil((time - this.origin) / this.every) - 1;
    return Array.from({ length: count }, (_, n) => this.at(last - count + 1 + n));
  }

  private at(n: number): number {
    return this.origin + n * this.every;
  }
}
