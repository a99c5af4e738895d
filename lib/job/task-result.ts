import { ResultExpiredError } from './errors.js';
import { type AttemptError, type JobState, isFinal, type TaskStatus } from './job.js';
import { jsonView } from './payload/payload-codec.js';

/** One failed attempt, as `TaskResult.errors` lists it. */
export interface TaskError extends Omit<AttemptError, 'at'> {
  /** When the attempt failed. */
  readonly at: Date;
}

/** The state of a job when it was read. Absent values are `null`. */
export interface TaskResultFields {
  /** The job's id, as `submit` returned it. */
  readonly taskId: string;
  readonly taskName: string;
  readonly submittedAt: Date;
  /** When the latest attempt started; `null` before the first one. */
  readonly startedAt: Date | null;
  /** When the job succeeded, failed for good or was cancelled; `null` before. */
  readonly finishedAt: Date | null;
  /** The number of retries so far. */
  readonly retries: number;
  /** The progress that the task reported last; `null` for none. */
  readonly progress: unknown;
  /**
   * The last error as text, such as `TypeError: x is not a function`, or the reason of a cancellation; `null` if
   * there is none or the job has succeeded.
   */
  readonly error: string | null;
  /** The errors of the failed attempts, oldest first; at most the last ten. */
  readonly errors: readonly TaskError[];
}

interface TaskResultBase extends TaskResultFields {
  /** Plain JSON for an HTTP answer: times as ISO strings; a value of the result that JSON cannot hold becomes the nearest one that it can. */
  toJSON(): Record<string, unknown>;
}

/** A job that has succeeded. */
export interface TaskSucceeded<R> extends TaskResultBase {
  readonly status: 'success';
  /** The value that the task returned. */
  readonly result: R;
  readonly isComplete: true;
  readonly isSuccess: true;
}

/** A job that has failed for good or was cancelled. */
export interface TaskUnsuccessful extends TaskResultBase {
  readonly status: 'failed' | 'cancelled';
  readonly result: null;
  readonly isComplete: true;
  readonly isSuccess: false;
}

/** A job that waits or runs. */
export interface TaskUnfinished extends TaskResultBase {
  readonly status: 'pending' | 'running' | 'retrying' | 'suspended';
  readonly result: null;
  readonly isComplete: false;
  readonly isSuccess: false;
}

/** A finished job, as `waitForResult` returns it. If `isSuccess` is `true`, `result` holds the returned value. */
export type FinishedTaskResult<R = unknown> = TaskSucceeded<R> | TaskUnsuccessful;

/** The state of a job, as `getResult` returns it. */
export type TaskResult<R = unknown> = FinishedTaskResult<R> | TaskUnfinished;

export class TaskSnapshot implements TaskResultFields {
  readonly taskId: string;
  readonly taskName: string;
  readonly status: TaskStatus;
  readonly result: unknown;
  readonly error: string | null;
  readonly errors: readonly TaskError[];
  readonly submittedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly retries: number;
  readonly progress: unknown;
  readonly isComplete: boolean;
  readonly isSuccess: boolean;

  constructor(state: JobState) {
    this.taskId = state.taskId;
    this.taskName = state.taskName;
    this.status = state.status;
    this.isSuccess = state.status === 'success';
    this.isComplete = isFinal(state.status);
    this.result = this.isSuccess ? state.result : null;
    this.errors = state.errors.map((error) => ({ ...error, at: new Date(error.at) }));
    this.error = this.isSuccess ? null : (state.reason ?? errorText(state.errors));
    this.submittedAt = new Date(state.submittedAt);
    this.startedAt = toDate(state.startedAt);
    this.finishedAt = toDate(state.finishedAt);
    this.retries = state.retries;
    this.progress = state.progress;
  }

  toJSON(): Record<string, unknown> {
    return {
      taskId: this.taskId,
      taskName: this.taskName,
      status: this.status,
      result: jsonView(this.result),
      error: this.error,
      errors: this.errors.map(({ attempt, name, message, code, at }) => ({
        attempt,
        name,
        message,
        code,
        at: at.toISOString(),
      })),
      submittedAt: this.submittedAt.toISOString(),
      startedAt: this.startedAt?.toISOString() ?? null,
      finishedAt: this.finishedAt?.toISOString() ?? null,
      retries: this.retries,
      progress: jsonView(this.progress),
      isComplete: this.isComplete,
      isSuccess: this.isSuccess,
    };
  }
}

/** The public form of a state. The flags follow from the status, as the union type promises. */
export function taskResultOf(state: JobState): TaskResult {
  return new TaskSnapshot(state) as TaskResult;
}

/** The state behind a result: the part that a backend stores. */
export function jobStateOf(result: TaskResult): JobState {
  return {
    taskId: result.taskId,
    taskName: result.taskName,
    status: result.status,
    result: result.isSuccess ? result.result : null,
    errors: result.errors.map((error) => ({ ...error, at: error.at.getTime() })),
    reason: result.status === 'cancelled' ? result.error : null,
    submittedAt: result.submittedAt.getTime(),
    startedAt: result.startedAt?.getTime() ?? null,
    finishedAt: result.finishedAt?.getTime() ?? null,
    retries: result.retries,
    progress: result.progress,
  };
}

/** The error for a job whose result has been dropped. Every engine and backend uses it. */
export function droppedResult(taskId: string): ResultExpiredError {
  return new ResultExpiredError(
    `The result of ${taskId} has been dropped, by resultTtl or maxResults. Raise them, or read results sooner.`,
  );
}

function errorText(errors: readonly AttemptError[]): string | null {
  const last = errors.at(-1);
  return last ? `${last.name}: ${last.message}` : null;
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
