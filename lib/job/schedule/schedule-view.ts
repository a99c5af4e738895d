import { nextOccurrence, type PastOccurrence, type Schedule } from './schedule.js';
import type { ScheduleRule } from './schedule-options.js';
import { timetableOf } from './timetable.js';

/** A schedule, as `schedules.list()` returns it. */
export interface ScheduleInfo {
  readonly name: string;
  /** The name of its task. */
  readonly task: string;
  /** `null` for an interval. */
  readonly cron: string | null;
  /** The time zone of the cron expression; `null` for an interval. */
  readonly timezone: string | null;
  /** Milliseconds between two occurrences; `null` for a cron expression. */
  readonly every: number | null;
  readonly start: Date | null;
  readonly end: Date | null;
  /** Milliseconds. */
  readonly jitter: number;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: 'skip' | 'queue' | 'allow';
  /** The next occurrence, without its jitter; `null` if there is none, and for a paused or orphaned schedule. */
  readonly next: Date | null;
  /** `null` for a schedule that is not paused. */
  readonly paused: { readonly at: Date; readonly reason: string | null; readonly by: string | null } | null;
  /** Whether a decorator declares it. Otherwise it was set at run time. */
  readonly declared: boolean;
  /** Whether it is declared by no worker any more, so that it has no occurrences. */
  readonly orphaned: boolean;
  readonly counts: {
    /** Jobs, those of `trigger` included. */
    readonly submitted: number;
    /** Occurrences that were skipped because they were more than a minute late. */
    readonly missed: number;
    /** Occurrences that were skipped because the previous job was unfinished. */
    readonly overlapped: number;
  };
}

/** A schedule with its history, as `schedules.get()` returns it. */
export interface ScheduleDetails extends ScheduleInfo {
  /** The last 20 occurrences and triggers, newest first. */
  readonly history: readonly ScheduleHistoryEntry[];
}

export interface ScheduleHistoryEntry {
  /** The time of the occurrence. For skipped missed occurrences, that of the last one. */
  readonly at: Date;
  /** When its job was submitted, or when it was skipped. */
  readonly handledAt: Date;
  /** `missed` and `overlap` are skipped occurrences. */
  readonly kind: 'submitted' | 'triggered' | 'missed' | 'overlap';
  /** The number of missed occurrences that the job makes up for, or that were skipped. */
  readonly missed: number;
  /** `null` for a skipped occurrence. */
  readonly taskId: string | null;
  /** The job's present status; `null` for a skipped occurrence, and for a job that is no longer kept. */
  readonly status: string | null;
}

/** @param orphaned Whether no worker declares it any more. */
export function scheduleInfoOf(schedule: Schedule, orphaned: boolean): ScheduleInfo {
  const { name, taskName, rule, paused, nextRun, declared, counts } = schedule;
  const { timing, start, end, jitter, missed, overlap } = rule;
  return {
    name,
    task: taskName,
    cron: 'cron' in timing ? timing.cron : null,
    timezone: 'cron' in timing ? timing.timezone : null,
    every: 'every' in timing ? timing.every : null,
    start: dateOf(start),
    end: dateOf(end),
    jitter,
    missed,
    overlap,
    next: paused === null && !orphaned ? dateOf(nextRun) : null,
    paused: paused && { ...paused, at: new Date(paused.at) },
    declared: declared !== null,
    orphaned,
    counts,
  };
}

export function historyEntryOf(
  { at, handledAt, kind, missed, taskId }: PastOccurrence,
  status: string | null,
): ScheduleHistoryEntry {
  return { at: new Date(at), handledAt: new Date(handledAt), kind, missed, taskId, status };
}

/** The first occurrences after `time`, at most `count`. */
export function occurrencesAfter(rule: ScheduleRule, time: number, count: number): Date[] {
  const timetable = timetableOf(rule.timing);
  const dates: Date[] = [];
  let at: number | null = time;
  while (dates.length < count && (at = nextOccurrence(rule, at, timetable)) !== null)
    dates.push(new Date(at));
  return dates;
}

function dateOf(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}
