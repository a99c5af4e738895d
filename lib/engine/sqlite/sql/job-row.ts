import { PayloadError } from '../../../job/errors.js';
import type { AttemptError, JobRow, JobState, TaskStatus } from '../../../job/job.js';
import { payloadFromText } from '../../../job/payload/payload-text.js';
import {
  areErrors,
  errorsFrom,
  isTime,
  metadataFrom,
  StoredFields,
  tagsFrom,
} from '../../../job/stored-fields.js';

/** A row of `jobs`, without its arguments. */
export interface SqliteRow {
  readonly id: number;
  readonly task_id: string;
  readonly task: string;
  readonly status: TaskStatus;
  readonly queue: string;
  readonly priority: number;
  readonly due_at: number | null;
  readonly retries: number;
  readonly submitted_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly errors: string | null;
  readonly result: string | null;
  readonly reason: string | null;
  readonly progress: string | null;
  readonly metadata: string | null;
  readonly tags: string | null;
}

export const ROW_COLUMNS =
  'id, task_id, task, status, queue, priority, due_at, retries, submitted_at, started_at, finished_at, errors, result, reason, progress, metadata, tags';

const NO_ERRORS: readonly AttemptError[] = [];

/** @throws {PayloadError} if the result cannot be read. */
export function toJobState(row: SqliteRow): JobState {
  const fields = new StoredFields();
  const state = readState(fields, row);
  fields.demand('result');
  return state;
}

/** Fields that another program has made unreadable are left empty and are named in `unreadable`. */
export function toJobRow(row: SqliteRow, fields = new StoredFields()): JobRow {
  const { metadata, tags } = row;
  const job = {
    ...readState(fields, row),
    queue: row.queue,
    priority: row.priority,
    dueAt: row.due_at,
    metadata:
      metadata === null
        ? undefined
        : fields.read('metadata', () => metadataFrom(payloadFromText(metadata)), undefined),
    tags: tags === null ? undefined : fields.read('tags', () => tagsFrom(JSON.parse(tags)), undefined),
  };
  const { unreadable } = fields;
  return unreadable === undefined ? job : { ...job, unreadable };
}

function readState(fields: StoredFields, row: SqliteRow): JobState {
  const { result, errors, progress, submitted_at: submittedAt } = row;
  if (!isTime(submittedAt)) fields.note('submittedAt', null);
  return {
    taskId: row.task_id,
    taskName: row.task,
    status: row.status,
    result: result === null ? null : fields.read('result', () => payloadFromText(result), null),
    errors: errors === null ? NO_ERRORS : fields.read('errors', () => decodeAllErrors(errors), NO_ERRORS),
    reason: row.reason,
    submittedAt: isTime(submittedAt) ? submittedAt : 0,
    startedAt: isTime(row.started_at) ? row.started_at : null,
    finishedAt: isTime(row.finished_at) ? row.finished_at : null,
    retries: row.retries,
    progress: progress === null ? null : fields.read('progress', () => payloadFromText(progress), null),
  };
}

/** Decodes the readable errors. @throws {PayloadError} if the text is no payload. */
export function decodeErrors(text: string | null): readonly AttemptError[] {
  return text === null ? NO_ERRORS : errorsFrom(payloadFromText(text));
}

/** @throws {PayloadError} if one of the errors is unreadable. */
function decodeAllErrors(text: string): readonly AttemptError[] {
  const errors = payloadFromText(text);
  if (areErrors(errors)) return errorsFrom(errors);
  throw new PayloadError('errors', 'another program has written them');
}

/** Whether a result is older than `resultTtl`: it counts as dropped, even while its row exists. */
export function hasExpired(
  { finished_at: at }: Pick<SqliteRow, 'finished_at'>,
  now: number,
  resultTtl: number,
): boolean {
  return at !== null && at <= now - resultTtl;
}

/** `now + delay`, limited to the integers that both drivers can read again. */
export function timeAfter(now: number, delay: number): number {
  return Math.min(now + delay, Number.MAX_SAFE_INTEGER);
}
