import { PayloadError } from '../../../job/errors.js';
import { areErrors, errorsFrom, isTime, metadataFrom, StoredFields } from '../../../job/stored-fields.js';
import type { AttemptError, JobRow, JobState } from '../../../job/job.js';
import type { TaskStatus } from '../../../job/status.js';
import { payloadFromText } from '../../../job/payload/payload-text.js';

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

/** @throws {PayloadError} if its result is none that Flowrra has written. */
export function stateOf(row: ResultRow): JobState {
  const fields = new StoredFields();
  const state = stateIn(fields, row);
  fields.demand('result');
  return state;
}

/** Fields that cannot be read, since another program has written to the file, are left empty and named. */
export function infoOf(row: InfoRow, fields = new StoredFields()): JobRow {
  const { metadata } = row;
  const state = stateIn(fields, row);
  const info = {
    ...state,
    queue: row.queue,
    priority: row.priority,
    dueAt: row.due_at,
    metadata:
      metadata === null
        ? undefined
        : fields.read('metadata', () => metadataFrom(payloadFromText(metadata)), undefined),
  };
  const { unreadable } = fields;
  return unreadable === undefined ? info : { ...info, unreadable };
}

function stateIn(fields: StoredFields, row: ResultRow): JobState {
  const { result, errors, progress, submitted_at: submittedAt } = row;
  if (!isTime(submittedAt)) fields.note('submittedAt', null);
  return {
    taskId: row.task_id,
    taskName: row.task,
    status: row.status,
    result: result === null ? null : fields.read('result', () => payloadFromText(result), null),
    errors: errors === null ? NO_ERRORS : fields.read('errors', () => allErrorsIn(errors), NO_ERRORS),
    reason: row.reason,
    submittedAt: isTime(submittedAt) ? submittedAt : 0,
    startedAt: isTime(row.started_at) ? row.started_at : null,
    finishedAt: isTime(row.finished_at) ? row.finished_at : null,
    retries: row.retries,
    progress: progress === null ? null : fields.read('progress', () => payloadFromText(progress), null),
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

/** @throws {PayloadError} if the text is none of Flowrra's. */
export function errorsIn(text: string | null): readonly AttemptError[] {
  return text === null ? NO_ERRORS : errorsFrom(payloadFromText(text));
}

/** @throws {PayloadError} if it holds anything else. */
function allErrorsIn(text: string): readonly AttemptError[] {
  const errors = payloadFromText(text);
  if (areErrors(errors)) return errorsFrom(errors);
  throw new PayloadError('errors', 'they are none that an attempt of Flowrra has left');
}
