import { createHash } from 'node:crypto';
import type { ScheduleRule } from './schedule-options.js';
import { type Timetable, timetableOf } from './timetable.js';

/** A later occurrence than this counts as missed. */
export const MISSED_AFTER_MS = 60_000;
/** The most missed occurrences that are counted. */
export const MAX_MISSED = 1_000;
/** The most missed occurrences that `missed: 'all'` makes up for. */
export const MAX_MADE_UP = 100;
/** The number of occurrences in a schedule's history. */
export const MAX_HISTORY = 20;

/** The task and arguments of each job of a schedule. */
export interface ScheduledCall {
  readonly taskName: string;
  readonly queue: string;
  /** The arguments as payload text. */
  readonly args: string;
}

/** A schedule as it is stored, as JSON. Times are milliseconds since the epoch. */
export interface Schedule extends ScheduledCall {
  readonly name: string;
  readonly rule: ScheduleRule;
  /** For a schedule of a decorator: when a process with this declaration started, and was last seen. */
  readonly declared: { readonly at: number; readonly seenAt: number } | null;
  /** Whether no worker declares it any more. It has no occurrences until one does. */
  readonly orphaned: boolean;
  /** The next occurrence; `null` for none. */
  readonly nextRun: number | null;
  /** Occurrences of which a worker has decided that they run. Their jobs are being submitted. */
  readonly submitting: readonly Occurrence[];
  /** An occurrence that waits for the end of the previous job (`overlap: 'queue'`). */
  readonly waiting: Occurrence | null;
  readonly paused: SchedulePause | null;
  /** The job of the latest occurrence that was submitted. */
  readonly lastTaskId: string | null;
  /** The worker that handled the latest occurrence. */
  readonly lastWorker: string | null;
  readonly counts: ScheduleCounts;
  /** Newest first. */
  readonly history: readonly PastOccurrence[];
}

export interface SchedulePause {
  readonly at: number;
  readonly reason: string | null;
  readonly by: string | null;
}

export interface ScheduleCounts {
  /** Jobs, those of `trigger` included. */
  readonly submitted: number;
  readonly missed: number;
  readonly overlapped: number;
}

/** A time at which a schedule's job runs, and the number of missed occurrences that it makes up for. */
export interface Occurrence {
  readonly at: number;
  readonly missed: number;
}

export interface PastOccurrence extends Occurrence {
  /** When it was submitted or skipped. */
  readonly handledAt: number;
  readonly kind: 'submitted' | 'triggered' | SkipReason;
  /** The job; `null` for a skipped occurrence. */
  readonly taskId: string | null;
}

/** `missed`: it was more than a minute late. `overlap`: the previous job was unfinished. */
export type SkipReason = 'missed' | 'overlap';

/** The next occurrence after `time`, within the start and the end of a rule; `null` for none. */
export function nextOccurrence(
  rule: ScheduleRule,
  time: number,
  timetable: Timetable = timetableOf(rule.timing),
): number | null {
  const next = timetable.next(rule.start === null ? time : Math.max(time, rule.start - 1));
  return next === null || (rule.end !== null && next >= rule.end) ? null : next;
}

/** How often the previous job is looked up, while an occurrence waits for its end. */
const LOOK_AGAIN_MS = 1_000;
/** How long a worker has time to submit a job before another worker does it. */
const SUBMIT_MS = 5_000;

/** When a worker must look at a schedule next; `null` for never. */
export function dueOf(schedule: Schedule, now: number): number | null {
  const { nextRun, paused, orphaned, waiting, submitting } = schedule;
  if (orphaned) return null;
  // A stored decision is carried out first, also if the schedule has been paused since.
  if (submitting.length > 0) return now + SUBMIT_MS;
  if (paused !== null) return null;
  const due = nextRun === null ? null : dueAt(schedule, nextRun);
  return waiting === null ? due : Math.min(now + LOOK_AGAIN_MS, due ?? Infinity);
}

/** The time of an occurrence with its jitter, which is the same in every process. */
export function dueAt({ name, rule: { jitter } }: Pick<Schedule, 'name' | 'rule'>, at: number): number {
  if (jitter === 0) return at;
  return at + (createHash('sha256').update(`${at} ${name}`).digest().readUInt32BE() % (jitter + 1));
}

/** The id of an occurrence's job: the same in every process, so that the occurrence has one job. */
export function occurrenceId(name: string, at: number): string {
  return `s${createHash('sha256').update(`${at} ${name}`).digest('base64url')}`;
}

/** Adds an occurrence to the history and the counts. */
export function recorded(schedule: Schedule, past: PastOccurrence): Schedule {
  const { counts } = schedule;
  const history = [past, ...schedule.history].slice(0, MAX_HISTORY);
  switch (past.kind) {
    case 'submitted':
      return {
        ...schedule,
        history,
        submitting: schedule.submitting.filter(({ at }) => at !== past.at),
        lastTaskId: past.taskId,
        counts: { ...counts, submitted: counts.submitted + 1 },
      };
    case 'triggered':
      return { ...schedule, history, counts: { ...counts, submitted: counts.submitted + 1 } };
    case 'missed':
      return { ...schedule, history, counts: { ...counts, missed: counts.missed + past.missed } };
    case 'overlap':
      // It may have been to make up for missed ones, which are skipped with it.
      return {
        ...schedule,
        history,
        counts: { ...counts, overlapped: counts.overlapped + Math.max(1, past.missed) },
      };
  }
}

/** Records submitted occurrences, except for those that another worker has recorded; `null` if it has recorded all. */
export function confirmed(schedule: Schedule, past: readonly PastOccurrence[]): Schedule | null {
  const open = new Set(schedule.submitting.map(({ at }) => at));
  const own = past.filter(({ at }) => open.has(at));
  return own.length === 0 ? null : own.reduce(recorded, schedule);
}

/** A schedule goes on at `now`, after a pause or as an orphan: earlier occurrences do not count, unless their jobs are being submitted. */
export function continued(schedule: Schedule, now: number): Schedule {
  return {
    ...schedule,
    paused: null,
    orphaned: false,
    waiting: null,
    nextRun: nextOccurrence(schedule.rule, now),
  };
}
