import {
  dueAt,
  MAX_MADE_UP,
  MAX_MISSED,
  MISSED_AFTER_MS,
  nextOccurrence,
  type Occurrence,
  type Schedule,
} from './schedule.js';
import { type Timetable, timetableOf } from './timetable.js';

/** The next thing to do about a schedule that is due. `nextRun` is its next occurrence afterwards. */
export type ScheduleStep = { readonly nextRun: number | null } & (
  | {
      /** Submit its job, unless the previous one is unfinished and the rule forbids an overlap. */
      readonly kind: 'run';
      readonly occurrence: Occurrence;
    }
  | {
      /** Submit the jobs of missed occurrences, even if the previous one is unfinished. */
      readonly kind: 'makeUp';
      readonly occurrences: readonly Occurrence[];
    }
  | {
      /** Skip missed occurrences. `at` is the last one of them. */
      readonly kind: 'skip';
      readonly missed: Occurrence;
    }
);

/** Decides about the earliest occurrences of a schedule; `null` if none is due at `now`. */
export function nextStep(schedule: Schedule, now: number): ScheduleStep | null {
  const { rule, nextRun: at } = schedule;
  if (at === null || dueAt(schedule, at) > now) return null;
  const timetable = timetableOf(rule.timing);
  // The jitter makes no occurrence a missed one.
  const limit = now - MISSED_AFTER_MS - rule.jitter;
  if (at >= limit)
    return { kind: 'run', occurrence: { at, missed: 0 }, nextRun: nextOccurrence(rule, at, timetable) };
  const { count, last, latest } = missedFrom(at, Math.min(limit, rule.end ?? limit), timetable);
  const nextRun = nextOccurrence(rule, Math.max(last, limit - 1), timetable);
  switch (rule.missed) {
    case 'skip':
      return { kind: 'skip', missed: { at: last, missed: count }, nextRun };
    case 'once':
      return { kind: 'run', occurrence: { at: last, missed: count }, nextRun };
    case 'all':
      return { kind: 'makeUp', occurrences: latest.map((time) => ({ at: time, missed: 1 })), nextRun };
  }
}

interface Missed {
  /** At most {@link MAX_MISSED}. */
  readonly count: number;
  readonly last: number;
  /** At most {@link MAX_MADE_UP}, oldest first. */
  readonly latest: readonly number[];
}

/** The occurrences from `first` on that are before `limit`. */
function missedFrom(first: number, limit: number, timetable: Timetable): Missed {
  const times = [first];
  for (let at = timetable.next(first); at !== null && at < limit; at = timetable.next(at)) {
    if (times.length === MAX_MISSED) {
      const latest = timetable.before(limit, MAX_MADE_UP);
      return { count: MAX_MISSED, last: latest.at(-1) as number, latest };
    }
    times.push(at);
  }
  return { count: times.length, last: times.at(-1) as number, latest: times.slice(-MAX_MADE_UP) };
}
