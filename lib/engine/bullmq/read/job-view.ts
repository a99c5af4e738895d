import { PayloadError } from '../../../job/errors.js';
import { payloadFromJson } from '../../../job/payload/payload-text.js';
import { isTime, StoredFields } from '../../../job/stored-fields.js';
import { type TaskStatus, isFinal, waitingStatus } from '../../../job/status.js';
import { errorsAfter } from '../../../job/outcome.js';
import { type JobState, type AttemptError, type JobRow } from '../../../job/job.js';
import {
  type BullJob,
  copyOf,
  errorsOf,
  failureText,
  hasOddErrors,
  metadataOf,
  reasonIn,
} from '../job-mapping.js';
import { unreadableIn } from '../malformed-job.js';
import { progressOf } from '../work/job-report.js';

/**
 * A job as users see it, of what BullMQ says of it and of the list in which it stands.
 *
 * @throws {PayloadError} if its result is none that Flowrra has written.
 */
export function stateOf(job: BullJob, list: string): JobState {
  const fields = new StoredFields();
  const state = stateIn(fields, job, list);
  fields.demand('result');
  return state;
}

/** The same for lists: what cannot be read is left out, and named. */
export function infoOf(job: BullJob, list: string, queue: string, dueAt: number | null): JobRow {
  const fields = new StoredFields();
  const state = stateIn(fields, job, list);
  const metadata = fields.read('metadata', () => metadataOf(job.data), undefined);
  for (const field of unreadableIn(job.data)) fields.note(field, null);
  const { unreadable } = fields;
  return { ...state, queue, priority: job.priority || 0, dueAt, metadata, ...(unreadable && { unreadable }) };
}

function stateIn(fields: StoredFields, job: BullJob, list: string): JobState {
  const reason = list === 'failed' ? reasonIn(job.failedReason) : null;
  const status = statusOf(job, list, reason);
  const ended = isFinal(status);
  const { timestamp, attemptsMade: made } = job;
  // Another program may have left it out.
  const taskName = job.name as string | undefined;
  if (!taskName) fields.note('taskName', null);
  if (!isTime(timestamp)) fields.note('submittedAt', null);
  if (!Number.isInteger(made)) fields.note('retries', null);
  if (hasOddErrors(job.data)) fields.note('errors', null);
  return {
    taskId: job.id as string,
    taskName: taskName ?? '',
    status,
    result: status === 'success' ? fields.read('result', () => resultOf(job), null) : null,
    errors: status === 'failed' ? failures(job) : errorsOf(job.data),
    reason,
    submittedAt: isTime(timestamp) ? timestamp : 0,
    startedAt: isTime(job.processedOn) ? job.processedOn : null,
    finishedAt: ended && isTime(job.finishedOn) ? job.finishedOn : null,
    // BullMQ counts the last attempt as well, once it has ended.
    retries: (ended ? Math.max(0, made - 1) : made) || 0,
    progress: fields.read('progress', () => progressOf(job.progress), null),
  };
}

/** @throws {PayloadError} if it is none that Flowrra has written, or none that BullMQ could read. */
function resultOf({ returnvalue }: BullJob): unknown {
  if (returnvalue !== undefined) return payloadFromJson(copyOf(returnvalue));
  throw new PayloadError('result', 'what lies on the server is no JSON');
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

/** A worker that is not ours lets BullMQ fail a job whose workers die again and again; only BullMQ's words say so. */
function failures(job: BullJob): readonly AttemptError[] {
  const errors = errorsOf(job.data);
  const message = job.failedReason ?? '';
  const last = errors.at(-1);
  if (last !== undefined && failureText(last.message) === message) return errors;
  const lost = message.includes('stalled more than');
  const unsaid: AttemptError = {
    attempt: errors.length + 1,
    name: lost ? 'TaskLostError' : 'Error',
    message: lost ? 'Its worker died while it ran, again and again, so it is not run any more.' : message,
    code: lost ? 'FLOWRRA_TASK_LOST' : null,
    stack: null,
    at: isTime(job.finishedOn) ? job.finishedOn : 0,
  };
  return errorsAfter(errors, unsaid);
}
