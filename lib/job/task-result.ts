import type { AttemptError } from './job.js';

/** One failed attempt, as `TaskResult.errors` lists it. */
export interface TaskError extends Omit<AttemptError, 'at'> {
  /** When the attempt failed. */
  readonly at: Date;
}

/** The state of a job at the moment it was asked for. Absent values are `null`. */
export interface TaskResultFields {
  /** The job's id, as `submit` returned it. */
  readonly taskId: string;
  readonly taskName: string;
  readonly submittedAt: Date;
  /** When the latest attempt started; `null` before the first. */
  readonly startedAt: Date | null;
  /** When the job succeeded, failed for good or was cancelled; `null` before. */
  readonly finishedAt: Date | null;
  /** Retries made so far. */
  readonly retries: number;
  /** What the task has said last of its progress; `null` for nothing. */
  readonly progress: unknown;
  /** The last error as text, such as `TypeError: x is not a function`; `null` once the job has succeeded. */
  readonly error: string | null;
  /** What each failed attempt threw, oldest first; at most the last ten. */
  readonly errors: readonly TaskError[];
}

interface TaskResultBase extends TaskResultFields {
  /** Plain JSON for an HTTP answer: times as ISO strings, the result as `JSON.stringify` sees it. */
  toJSON(): Record<string, unknown>;
}

/** A job that has succeeded. */
export interface TaskSucceeded<R> extends TaskResultBase {
  readonly status: 'success';
  readonly result: R;
  readonly isComplete: true;
  readonly isSuccess: true;
}

/** A job that has ended otherwise. */
export interface TaskUnsuccessful extends TaskResultBase {
  readonly status: 'failed' | 'cancelled';
  readonly result: null;
  readonly isComplete: true;
  readonly isSuccess: false;
}

/** A job that goes on. */
export interface TaskUnfinished extends TaskResultBase {
  readonly status: 'pending' | 'running' | 'retrying';
  readonly result: null;
  readonly isComplete: false;
  readonly isSuccess: false;
}

/** A finished job, as `waitForResult` answers. `isSuccess` tells whether `result` is there. */
export type FinishedTaskResult<R = unknown> = TaskSucceeded<R> | TaskUnsuccessful;

/** A job's state, as `getResult` answers. */
export type TaskResult<R = unknown> = FinishedTaskResult<R> | TaskUnfinished;
