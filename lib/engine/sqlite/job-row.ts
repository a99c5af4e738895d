import type { AttemptError } from '../engine.interface.js';
import type { TaskStatus } from '../../core/task-result.js';
import type { JobState } from '../../core/task-snapshot.js';
import { payloadFromText } from '../../core/payload/payload-text.js';

/** A row of `jobs`, as far as a result is made of it. */
export interface ResultRow {
  readonly id: number;
  readonly task_id: string;
  readonly task: string;
  readonly status: TaskStatus;
  readonly retries: number;
  readonly submitted_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly errors: string | null;
  readonly result: string | null;
  readonly reason: string | null;
}

export const RESULT_COLUMNS =
  'id, task_id, task, status, retries, submitted_at, started_at, finished_at, errors, result, reason';

export function stateOf(row: ResultRow): JobState {
  return {
    taskId: row.task_id,
    taskName: row.task,
    status: row.status,
    result: row.result === null ? null : payloadFromText(row.result),
    errors: errorsFrom(row.errors),
    reason: row.reason,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    retries: row.retries,
  };
}

const NO_ERRORS: readonly AttemptError[] = [];

export function errorsFrom(text: string | null): readonly AttemptError[] {
  return text === null ? NO_ERRORS : (payloadFromText(text) as AttemptError[]);
}
