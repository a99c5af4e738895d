import { FlowrraError } from './errors.js';
import type { TaskError } from './task-result.js';

/**
 * A task has used `ctx.step`, `sleep`, `waitFor`, `call`, `submit` or `each` in a way that cannot work: two of one name
 * at the same time, inside a step, or after its method has returned. The job fails without a retry.
 *
 * Change the code as the message says.
 */
export class DurableTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_DURABLE';
}

/**
 * A job that was started by `ctx.call` has failed for good or was cancelled. A job that this error ends fails without a
 * retry, since its child would not be run again.
 *
 * Catch it where the method can go on without the child's result.
 */
export class ChildFailedError extends FlowrraError {
  readonly code = 'FLOWRRA_CHILD_FAILED';

  constructor(
    message: string,
    /** The id of the child job. */
    readonly childId: string,
    /** The task of the child job. */
    readonly taskName: string,
    readonly status: 'failed' | 'cancelled',
    /** The errors of the child's attempts, oldest first; at most the last ten. */
    readonly errors: readonly TaskError[],
  ) {
    super(message);
  }
}

/**
 * `ctx.waitFor` has received no signal within its `timeout`.
 *
 * Catch it to go on without the signal.
 */
export class SignalTimeoutError extends FlowrraError {
  readonly code = 'FLOWRRA_SIGNAL_TIMEOUT';
}

/**
 * The reason of an attempt's abort signal if its job has been suspended: the method waits, and its code does not go on
 * in this attempt. An interceptor learns from it that its handler never settles.
 */
export class TaskSuspendedError extends FlowrraError {
  readonly code = 'FLOWRRA_SUSPENDED';
}

/**
 * The journal of a durable job is full: 10,000 entries, 10,000 child jobs or 8 MiB; or 25,000 signals and ends of child
 * jobs. The job fails without a retry.
 *
 * Move a part of the work to child jobs, or return less from steps.
 */
export class JournalFullError extends FlowrraError {
  readonly code = 'FLOWRRA_JOURNAL_FULL';
}

/**
 * A signal was sent to a job that has ended.
 *
 * Look at the job's state before, with `getResult`.
 */
export class JobFinishedError extends FlowrraError {
  readonly code = 'FLOWRRA_JOB_FINISHED';
}
