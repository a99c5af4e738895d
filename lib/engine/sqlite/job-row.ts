import type { AttemptError, Metadata } from '../engine.interface.js';
import type { JobInfo } from '../job-control.interface.js';
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
  readonly progress: string | null;
}

/** The same, as far as lists show it. */
export interface InfoRow extends ResultRow {
  readonly queue: string;
  readonly priority: number;
  readonly due_at: number | null;
  readonly metadata: string | null;
}

export const RESULT_COLUMNS =
  'id, task_id, task, status, retries, submitted_at, started_at, finished_at, errors, result, reason, progress';

export const INFO_COLUMNS = `${RESULT_COLUMNS}, queue, priority, due_at, metadata`;

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
    progress: row.progress === null ? null : payloadFromText(row.progress),
  };
}

/** What cannot be read, since somebody else has written to the file, is as if it were not there: the rest is shown. */
export function infoOf(row: InfoRow): JobInfo {
  const { progress, result, errors } = row;
  return {
    ...stateOf({ ...row, progress: null, result: null, errors: null }),
    progress: readable(progress) ?? null,
    result: readable(result) ?? null,
    errors: (readable(errors) as AttemptError[] | undefined) ?? NO_ERRORS,
    queue: row.queue,
    priority: row.priority,
    dueAt: row.due_at,
    metadata: readable(row.metadata) as Metadata | undefined,
  };
}

/** Whether a result is older than it may be: it counts as dropped, though it still lies in the file. */
export function hasExpired(
  { finished_at: at }: Pick<ResultRow, 'finished_at'>,
  now: number,
  resultTtl: number,
): boolean {
  return at !== null && at <= now - resultTtl;
}

const NO_ERRORS: readonly AttemptError[] = [];

/** `undefined` for nothing, and for what is no payload of Flowrra's. */
export function readable(text: string | null): unknown {
  try {
    return text === null ? undefined : payloadFromText(text);
  } catch {
    return undefined;
  }
}

export function errorsFrom(text: string | null): readonly AttemptError[] {
  return text === null ? NO_ERRORS : (payloadFromText(text) as AttemptError[]);
}
