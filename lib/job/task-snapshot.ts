import { type AttemptError, type JobState, isFinal, type TaskStatus } from './job.js';
import { jsonView } from './json-view.js';
import type { TaskError, TaskResult, TaskResultFields } from './task-result.js';

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

/** What users see of a state. Its invariant (the flags follow from the status) is what the union type says. */
export function taskResultOf(state: JobState): TaskResult {
  return new TaskSnapshot(state) as TaskResult;
}

/** The state behind a result: what a backend has to keep. */
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

function errorText(errors: readonly AttemptError[]): string | null {
  const last = errors.at(-1);
  return last ? `${last.name}: ${last.message}` : null;
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
