import type { JobState, LogLine, TaskStatus } from './job.js';
import { TaskSnapshot } from './task-result.js';

/** One line of a task's log, as {@link TaskUpdate} holds it. */
export interface TaskUpdateLine {
  /** The time of the line as an ISO string, by the clock of the process that ran the task. */
  readonly at: string;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  readonly line: string;
}

/** One failed attempt, as {@link TaskUpdate} holds it. */
export interface TaskUpdateError {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The error's class, such as `TypeError`. */
  readonly name: string;
  readonly message: string;
  /** The error's `code`; `null` if it had none. */
  readonly code: string | null;
  /** When the attempt failed, as an ISO string. */
  readonly at: string;
}

/**
 * The state of a job at one moment: plain JSON, with the fields that `getResult` has as JSON, and the new log lines.
 * Each subscriber gets objects of its own.
 */
export interface TaskUpdate {
  readonly taskId: string;
  readonly taskName: string;
  readonly status: TaskStatus;
  /**
   * The value that the task returned; `null` unless the job has succeeded. A value that JSON cannot hold becomes
   * the nearest one that it can.
   */
  readonly result: unknown;
  /**
   * The last error as text, such as `TypeError: x is not a function`, or the reason of a cancellation; `null` if
   * there is none or the job has succeeded.
   */
  readonly error: string | null;
  /** The errors of the failed attempts without their stacks, oldest first; at most the last ten. */
  readonly errors: readonly TaskUpdateError[];
  /** An ISO string. */
  readonly submittedAt: string;
  /** When the latest attempt started, as an ISO string; `null` before the first one. */
  readonly startedAt: string | null;
  /** When the job ended, as an ISO string; `null` before. */
  readonly finishedAt: string | null;
  /** The number of retries so far. */
  readonly retries: number;
  /** The progress that the task reported last, as JSON; `null` for none. */
  readonly progress: unknown;
  /** `true` for `success`, `failed` and `cancelled`: this is the last update. */
  readonly isComplete: boolean;
  /** `true` for `success`. */
  readonly isSuccess: boolean;
  /**
   * The log lines since the previous update, oldest first; in the first update, the lines that are kept: at most
   * the last 200.
   */
  readonly logs: readonly TaskUpdateLine[];
}

/** The text of an update without its log lines: equal texts mean that nothing has changed. */
export function updateText(state: JobState): string {
  return JSON.stringify(new TaskSnapshot(state));
}

/** A new update from its text. */
export function taskUpdateOf(text: string, lines: readonly LogLine[]): TaskUpdate {
  const logs = lines.map(({ at, attempt, line }) => ({ at: new Date(at).toISOString(), attempt, line }));
  return { ...(JSON.parse(text) as Omit<TaskUpdate, 'logs'>), logs };
}

/**
 * The lines of `now` that come after those of `seen`. Both hold the last lines of one log, which has no line numbers:
 * where equal lines repeat, the fewest new lines are assumed.
 */
export function linesAfter(seen: readonly LogLine[], now: readonly LogLine[]): readonly LogLine[] {
  for (let from = 0; from < seen.length; from++) {
    const kept = seen.length - from;
    if (kept <= now.length && seen.every((line, at) => at < from || isSame(line, now[at - from])))
      return now.slice(kept);
  }
  return now;
}

function isSame(one: LogLine, other: LogLine | undefined): boolean {
  return other?.at === one.at && other.attempt === one.attempt && other.line === one.line;
}
