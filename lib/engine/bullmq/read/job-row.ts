import { PayloadError } from '../../../job/errors.js';
import {
  type AttemptError,
  type JobRow,
  type JobState,
  type TaskStatus,
  isFinal,
  waitingStatus,
} from '../../../job/job.js';
import { errorsAfter } from '../../../job/outcome.js';
import { payloadFromJson } from '../../../job/payload/payload-text.js';
import { isTime, StoredFields } from '../../../job/stored-fields.js';
import {
  type BullJob,
  cancelReasonIn,
  errorsOf,
  failureText,
  hasUnreadableErrors,
  jsonCopy,
  metadataOf,
  progressOf,
  tagsOf,
} from '../job-mapping.js';
import { unreadableIn } from '../malformed-job.js';
import { isStalledText } from '../server/bullmq-internals.js';
import { type Delayed, NOT_DELAYED } from '../server/job-journals.js';

/**
 * The state of a job, from BullMQ's job and the list that holds it.
 *
 * @throws {PayloadError} if another program has written the result, and it cannot be read.
 */
export function stateOf(job: BullJob, list: string, { isSuspended }: Delayed = NOT_DELAYED): JobState {
  const fields = new StoredFields();
  const state = readState(fields, job, list, isSuspended);
  fields.demand('result');
  return state;
}

/** The row of a job. Unreadable fields are empty, and named. */
export function rowOf(
  job: BullJob,
  list: string,
  queue: string,
  { dueAt, isSuspended }: Delayed = NOT_DELAYED,
): JobRow {
  const fields = new StoredFields();
  const state = readState(fields, job, list, isSuspended);
  const metadata = fields.read('metadata', () => metadataOf(job.data), undefined);
  const tags = fields.read('tags', () => tagsOf(job.data), undefined);
  for (const field of unreadableIn(job.data)) fields.note(field, null);
  const { unreadable } = fields;
  const priority = job.priority || 0;
  return { ...state, queue, priority, dueAt, metadata, tags, ...(unreadable && { unreadable }) };
}

function readState(fields: StoredFields, job: BullJob, list: string, isSuspended: boolean): JobState {
  const reason = list === 'failed' ? cancelReasonIn(job.failedReason) : null;
  const status = isSuspended ? 'suspended' : statusOf(job, list, reason);
  const ended = isFinal(status);
  const { timestamp, attemptsMade: made } = job;
  // Another program may have added the job without a name.
  const taskName = job.name as string | undefined;
  if (!taskName) fields.note('taskName', null);
  if (!isTime(timestamp)) fields.note('submittedAt', null);
  if (!Number.isInteger(made)) fields.note('retries', null);
  if (hasUnreadableErrors(job.data)) fields.note('errors', null);
  return {
    taskId: job.id as string,
    taskName: taskName ?? '',
    status,
    result: status === 'success' ? fields.read('result', () => resultOf(job), null) : null,
    errors: status === 'failed' ? failuresOf(job) : errorsOf(job.data),
    reason,
    submittedAt: isTime(timestamp) ? timestamp : 0,
    startedAt: isTime(job.processedOn) ? job.processedOn : null,
    finishedAt: ended && isTime(job.finishedOn) ? job.finishedOn : null,
    // After the end, BullMQ also counts the last attempt.
    retries: (ended ? Math.max(0, made - 1) : made) || 0,
    progress: fields.read('progress', () => progressOf(job.progress), null),
  };
}

/** @throws {PayloadError} if another program has written the result, and it cannot be read. */
function resultOf({ returnvalue }: BullJob): unknown {
  if (returnvalue !== undefined) return payloadFromJson(jsonCopy(returnvalue));
  throw new PayloadError('result', 'the stored text is no JSON');
}

function statusOf(job: BullJob, list: string, reason: string | null): TaskStatus {
  switch (list) {
    case 'completed':
      return 'success';
    case 'failed':
      return reason === null ? 'failed' : 'cancelled';
    case 'active':
      return 'running';
    default:
      return waitingStatus(job.attemptsMade);
  }
}

/** Adds the last failure if only BullMQ has stored it: a worker of another program, or BullMQ itself, has failed the job. */
function failuresOf(job: BullJob): readonly AttemptError[] {
  const errors = errorsOf(job.data);
  const message = job.failedReason ?? '';
  const last = errors.at(-1);
  if (last !== undefined && failureText(last.message) === message) return errors;
  const lost = isStalledText(message);
  return errorsAfter(errors, {
    attempt: errors.length + 1,
    name: lost ? 'TaskLostError' : 'Error',
    message: lost ? 'The workers that ran the job died too often, so it does not run again.' : message,
    code: lost ? 'FLOWRRA_TASK_LOST' : null,
    stack: null,
    at: isTime(job.finishedOn) ? job.finishedOn : 0,
  });
}
