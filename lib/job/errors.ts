/**
 * The base of every error that Flowrra throws. The `code` is for programs. The message is for people and says
 * how to continue. The `cause` is the underlying error, if there is one.
 */
export abstract class FlowrraError extends Error {
  /** The same in every release, so it is safe to compare: for example `'FLOWRRA_TASK_NOT_FOUND'`. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * An option, a decorator, a registration or an argument of Flowrra's methods is invalid. Thrown at the start of
 * the application if possible, otherwise by the call. A job that meets it fails without a retry.
 *
 * Correct the value that the message names.
 */
export class FlowrraConfigError extends FlowrraError {
  readonly code = 'FLOWRRA_CONFIG';
}

/**
 * `submit`, `with` or `submitMany` names a task, or a method, that this application does not know.
 *
 * Add the class to the `providers` of a module, decorate the method with `@Task()`, call `register()`, or
 * correct the name.
 */
export class TaskNotFoundError extends FlowrraError {
  readonly code = 'FLOWRRA_TASK_NOT_FOUND';
}

/**
 * `schedules.pause`, `resume`, `trigger` or `preview` names a schedule that is not stored.
 *
 * Set it with `schedules.set()`, declare it with `@Cron()` or `@Interval()`, or correct the name.
 */
export class ScheduleNotFoundError extends FlowrraError {
  readonly code = 'FLOWRRA_SCHEDULE_NOT_FOUND';
}

/**
 * `waitForResult` reached its `timeout` before the job ended. The job continues.
 *
 * Wait again with the same id, or ask later with `getResult`.
 */
export class TaskTimeoutError extends FlowrraError {
  readonly code = 'FLOWRRA_WAIT_TIMEOUT';
}

/**
 * An attempt ran longer than the `timeout` of its task. It is the reason of the attempt's abort signal, and the
 * error of the attempt, which counts as failed.
 *
 * Stop the work when `signal` aborts, or raise `timeout`.
 */
export class TaskRunTimeoutError extends FlowrraError {
  readonly code = 'FLOWRRA_RUN_TIMEOUT';
}

/**
 * A method that needs the engine was called before the application has started, or after it has stopped.
 *
 * Call it from `onApplicationBootstrap` or later. In a test, call `await app.init()` first.
 */
export class ExecutorNotRunningError extends FlowrraError {
  readonly code = 'FLOWRRA_NOT_RUNNING';
}

/**
 * The reason of an attempt's abort signal if the application stops before the attempt has ended. The job is
 * released and runs again, unless its engine keeps jobs in memory only.
 *
 * End the attempt as soon as possible.
 */
export class ExecutorStoppingError extends FlowrraError {
  readonly code = 'FLOWRRA_STOPPING';
}

/**
 * The reason of an attempt's abort signal if its job has been cancelled. The message is the reason that was
 * given to `cancel`.
 *
 * End the attempt as soon as possible; its result is dropped.
 */
export class TaskCancelledError extends FlowrraError {
  readonly code = 'FLOWRRA_CANCELLED';
}

/**
 * A guard of the task rejected the job. The job fails without a retry.
 *
 * Check the guard, and the metadata or context with which the job was submitted.
 */
export class TaskForbiddenError extends FlowrraError {
  readonly code = 'FLOWRRA_FORBIDDEN';
}

/**
 * A pipe or a schema of the task rejected the job's arguments. The job fails without a retry.
 *
 * Submit valid arguments.
 */
export class TaskArgumentsError extends FlowrraError {
  readonly code = 'FLOWRRA_ARGUMENTS';
}

/**
 * The result backend could not store or read a result.
 *
 * Check the backend; its own error is the `cause`. Reading again is safe.
 */
export class BackendError extends FlowrraError {
  readonly code = 'FLOWRRA_BACKEND';
}

/**
 * The engine's storage rejected an operation: it is locked, full, damaged or unreachable. The operation has
 * changed nothing.
 *
 * Check the storage; its own error is the `cause`. Repeating the call is safe.
 */
export class EngineError extends FlowrraError {
  readonly code = 'FLOWRRA_ENGINE';
}

/**
 * The database of the outbox rejected a statement, or did not answer.
 *
 * Check the database; its own error is the `cause`. Repeating the call is safe.
 */
export class OutboxError extends FlowrraError {
  readonly code = 'FLOWRRA_OUTBOX';
}

/**
 * The server has not answered a submission in time, so it is unknown whether the job was accepted.
 *
 * Submit again `with({ taskId })`: the same id is never accepted twice while the job or its result is known.
 */
export class SubmitUncertainError extends FlowrraError {
  readonly code = 'FLOWRRA_SUBMIT_UNCERTAIN';
  /** The id of the job, if it was accepted; for several jobs, the id of the first. */
  readonly taskId: string;

  /** @param taskIds The ids of the jobs, if they were accepted, in the order of submission. */
  constructor(
    readonly taskIds: readonly string[],
    problem: string,
    options?: ErrorOptions,
  ) {
    const [first = ''] = taskIds;
    const jobs = taskIds.length > 1 ? `Each of ${taskIds.length} jobs` : first;
    super(
      `${jobs} may have been accepted or not: ${problem} Ask with getResult later, or submit it again with({ taskId: '${first}' }).`,
      options,
    );
    this.taskId = first;
  }
}

/**
 * The worker of a job died, did not respond for the length of a lease, or lost the job to another worker. The
 * job runs again, up to `maxRescues` times; then it fails with this error.
 *
 * Look for the reason in the log of the worker: a crash, too little memory, or a blocked event loop.
 */
export class TaskLostError extends FlowrraError {
  readonly code = 'FLOWRRA_TASK_LOST';
}

/**
 * No job with this id is known.
 *
 * Check the id, and whether this application uses the engine to which the job was submitted.
 */
export class ResultNotFoundError extends FlowrraError {
  readonly code = 'FLOWRRA_RESULT_NOT_FOUND';
}

/**
 * The job has ended, and its result has been dropped because of `resultTtl` or `maxResults`.
 *
 * Read results sooner, or raise these options.
 */
export class ResultExpiredError extends FlowrraError {
  readonly code = 'FLOWRRA_RESULT_EXPIRED';
}

/**
 * `maxPending` jobs are waiting, and `whenFull` is `'reject'`. The submission has added nothing.
 *
 * Submit again later, reject the request that submits, or raise `maxPending`.
 */
export class QueueFullError extends FlowrraError {
  readonly code = 'FLOWRRA_QUEUE_FULL';
}

/**
 * An argument, a result, metadata, captured context or progress contains a value that cannot be stored with a
 * job, or is too large; or a stored value cannot be read.
 *
 * Pass plain data instead of the value at `path`, or a reference, such as an id, if it is too large.
 */
export class PayloadError extends FlowrraError {
  readonly code = 'FLOWRRA_PAYLOAD';

  /** @param path The position of the value, such as `args[0].user.save`. */
  constructor(
    readonly path: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${problem}`, options);
  }
}

/**
 * A worker thread ended while it ran a CPU-bound task: it crashed, used too much memory, called
 * `process.exit()`, or was ended after `timeout` and `killGrace`. The attempt counts as failed.
 *
 * Look for the reason in the message and in the log.
 */
export class TaskThreadError extends FlowrraError {
  readonly code = 'FLOWRRA_THREAD';
}
