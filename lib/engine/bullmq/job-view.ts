import { payloadFromJson } from '../../core/payload/payload-text.js';
import type { TaskStatus } from '../../core/task-result.js';
import { errorsAfter, isFinal, type JobState, waitingStatus } from '../../core/task-snapshot.js';
import type { AttemptError } from '../engine.interface.js';
import type { JobInfo } from '../job-control.interface.js';
import { type BullJob, copyOf, errorsOf, failureText, metadataOf, reasonIn } from './job-mapping.js';
import { progressOf } from './job-report.js';

/** A job as users see it, of what BullMQ says of it and of the list in which it stands. */
export function stateOf(job: BullJob, list: string): JobState {
  const reason = list === 'failed' ? reasonIn(job.failedReason) : null;
  const status = statusOf(job, list, reason);
  const ended = isFinal(status);
  return {
    taskId: job.id as string,
    taskName: job.name,
    status,
    result: status === 'success' ? payloadFromJson(copyOf(job.returnvalue)) : null,
    errors: status === 'failed' ? failures(job) : errorsOf(job.data),
    reason,
    submittedAt: job.timestamp,
    startedAt: job.processedOn ?? null,
    finishedAt: ended ? (job.finishedOn ?? null) : null,
    // BullMQ counts the last attempt as well, once it has ended.
    retries: ended ? Math.max(0, job.attemptsMade - 1) : job.attemptsMade,
    progress: progressOf(job.progress),
  };
}

export function infoOf(job: BullJob, list: string, queue: string, dueAt: number | null): JobInfo {
  const state = stateOf(job, list);
  const { priority = 0 } = job;
  return { ...state, queue, priority, dueAt, metadata: metadataOf(job.data) };
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
    at: job.finishedOn ?? 0,
  };
  return errorsAfter(errors, unsaid);
}
