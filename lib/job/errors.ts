import { type Duration, LEAST_SNOOZE_MS, parseDuration } from './duration.js';
import { FlowrraError } from './flowrra-error.js';

export { FlowrraConfigError, FlowrraError } from './flowrra-error.js';

/** No task of that name, or no task behind that method, is known to this application. */
export class TaskNotFoundError extends FlowrraError {
  readonly code = 'FLOWRRA_TASK_NOT_FOUND';
}

/** `waitForResult` gave up waiting. The job itself goes on. */
export class TaskTimeoutError extends FlowrraError {
  readonly code = 'FLOWRRA_WAIT_TIMEOUT';
}

/** An attempt ran for longer than its task's `timeout`. */
export class TaskRunTimeoutError extends FlowrraError {
  readonly code = 'FLOWRRA_RUN_TIMEOUT';
}

/** The executor takes no submissions: it has not been started, or it has been stopped. */
export class ExecutorNotRunningError extends FlowrraError {
  readonly code = 'FLOWRRA_NOT_RUNNING';
}

/** The reason of an attempt's abort signal when `stop` has reached its deadline. */
export class ExecutorStoppingError extends FlowrraError {
  readonly code = 'FLOWRRA_STOPPING';
}

/** The reason of an attempt's abort signal when its job has been cancelled; its message is the reason that was given. */
export class TaskCancelledError extends FlowrraError {
  readonly code = 'FLOWRRA_CANCELLED';
}

/** A guard of the task has denied the job. It fails for good. */
export class TaskForbiddenError extends FlowrraError {
  readonly code = 'FLOWRRA_FORBIDDEN';
}

/** A pipe or a schema of the task has refused the job's arguments. It fails for good. */
export class TaskArgumentsError extends FlowrraError {
  readonly code = 'FLOWRRA_ARGUMENTS';
}

/** The result backend could not store or read. */
export class BackendError extends FlowrraError {
  readonly code = 'FLOWRRA_BACKEND';
}

/** The engine's storage could not do what was asked: locked, full, damaged or unreachable. What was refused is not kept. */
export class EngineError extends FlowrraError {
  readonly code = 'FLOWRRA_ENGINE';
}

/** A submission got no answer in time, so it may have been accepted or not. Submitting with the same id again is safe. */
export class SubmitUncertainError extends FlowrraError {
  readonly code = 'FLOWRRA_SUBMIT_UNCERTAIN';
  /** The id that the job has if it was accepted; of several, the first. */
  readonly taskId: string;

  /** @param taskIds The ids that the jobs have, if they were accepted, in their order. */
  constructor(
    readonly taskIds: readonly string[],
    problem: string,
    options?: ErrorOptions,
  ) {
    const [first = ''] = taskIds;
    const what = taskIds.length > 1 ? `Each of ${taskIds.length} jobs` : first;
    super(
      `${what} may have been accepted or not: ${problem} Ask with getResult later, or submit it again with({ taskId: '${first}' }).`,
      options,
    );
    this.taskId = first;
  }
}

/** A job's worker died with it or stood still for too long, or lost it to another one, which then runs it again. */
export class TaskLostError extends FlowrraError {
  readonly code = 'FLOWRRA_TASK_LOST';
}

/** No job of that id was ever submitted here. */
export class ResultNotFoundError extends FlowrraError {
  readonly code = 'FLOWRRA_RESULT_NOT_FOUND';
}

/** The job of that id existed; its result has since been dropped by `resultTtl` or `maxResults`. */
export class ResultExpiredError extends FlowrraError {
  readonly code = 'FLOWRRA_RESULT_EXPIRED';
}

/** `maxPending` jobs are waiting already, and `whenFull` is `'reject'`. */
export class QueueFullError extends FlowrraError {
  readonly code = 'FLOWRRA_QUEUE_FULL';
}

/** An argument or a result holds something that cannot travel to a task or back. */
export class PayloadError extends FlowrraError {
  readonly code = 'FLOWRRA_PAYLOAD';

  /** @param path Where the offending value stands, such as `args[0].user.save`. */
  constructor(
    readonly path: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${problem}`, options);
  }
}

/** A worker thread died, or was ended, while it ran a CPU-bound task. */
export class TaskThreadError extends FlowrraError {
  readonly code = 'FLOWRRA_THREAD';
}

/** Throw it inside a task to fail the job now, whatever retries are left. */
export class FatalTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_FATAL';
}

/** Throw it inside a task to retry after a delay of your choosing. It uses up a retry. */
export class RetryTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_RETRY';
  /** Milliseconds until the next attempt. */
  readonly delay: number;

  /** @throws {FlowrraConfigError} if `delay` is no duration. */
  constructor(delay: Duration, message = 'The task asked to be retried', options?: ErrorOptions) {
    super(message, options);
    this.delay = parseDuration(delay, 'RetryTaskError delay');
  }
}

/** Throw it inside a task to come back later without using up a retry. */
export class SnoozeTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_SNOOZE';
  /** Milliseconds until the task runs again: at least 1,000. */
  readonly delay: number;

  /**
   * @param delay A shorter one than 1 s counts as 1 s.
   * @throws {FlowrraConfigError} if `delay` is no duration.
   */
  constructor(delay: Duration, message = 'The task asked to come back later', options?: ErrorOptions) {
    super(message, options);
    this.delay = Math.max(LEAST_SNOOZE_MS, parseDuration(delay, 'SnoozeTaskError delay'));
  }
}
