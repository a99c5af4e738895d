import type { Clock } from '../job/clock.js';
import { FlowrraConfigError } from '../job/errors.js';
import { isPromise } from '../job/async.js';
import { type BatchJob, resolveSubmitOptions, type SubmitOptions } from '../job/submit-options.js';
import type { TaskRegistry, TaskRoute } from '../run/task-registry.js';
import { TaskSubmission } from '../run/task-submission.js';
import type {
  NamedArgs,
  NamedOutput,
  TaskArgs,
  TaskFunction,
  TaskId,
  TaskName,
  TaskOutput,
} from '../run/task-types.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';
import { sendBatch } from './submission-with.js';

/**
 * Submissions in a transaction of your database: the return value of `FlowrraService.within()`. A job exists from the
 * commit on, and never if the transaction is rolled back. Its id is returned at once.
 */
export class SubmissionWithin extends TaskSubmission {
  constructor(
    registry: TaskRegistry,
    private readonly runtime: FlowrraRuntime,
    private readonly clock: Clock,
    private readonly transaction: object,
    private readonly options: SubmitOptions = {},
  ) {
    super(registry);
  }

  /**
   * Submits with options in the transaction. Times are measured from the submission.
   *
   * @throws {FlowrraConfigError} if an option is unknown or invalid.
   */
  with(options: SubmitOptions): SubmissionWithin {
    const all = { ...this.options, ...options };
    resolveSubmitOptions(all, this.clock.now());
    return new SubmissionWithin(this.registry, this.runtime, this.clock, this.transaction, all);
  }

  /**
   * Submits in a transaction of a library that is not asynchronous, such as better-sqlite3: the job is stored when the
   * call returns.
   *
   * @throws {FlowrraConfigError} if the library is asynchronous, or the task has pipes or schemas, which are.
   * @throws the other errors of `submit`.
   */
  submitSync<N extends TaskName>(name: N, ...args: NamedArgs<N>): TaskId<NamedOutput<N>>;
  submitSync<A extends unknown[], R>(task: TaskFunction<A, R>, ...args: TaskArgs<A>): TaskId<TaskOutput<R>>;
  submitSync(task: unknown, ...args: unknown[]): TaskId {
    const { submitter, isSync, library } = this.runtime.parts.outbox.within(this.transaction);
    if (!isSync)
      throw new FlowrraConfigError(`submitSync(): ${library} is asynchronous. Use submit(), and await it.`);
    const route = this.registry.route(task);
    if (route.validate)
      throw new FlowrraConfigError(
        `submitSync(): the arguments of '${route.name}' are checked by pipes or schemas, which are asynchronous. Begin the transaction by hand and await submit() in it, or check the arguments in the task.`,
      );
    const taskId = submitter.submit(route, args, this.resolved());
    if (isPromise(taskId)) throw new Error('A synchronous submission was not finished');
    return taskId;
  }

  protected get isConnected(): boolean {
    return this.runtime.isConnected;
  }

  protected assertConnected(): void {
    void this.runtime.parts;
  }

  protected async send(route: TaskRoute, args: readonly unknown[]): Promise<string> {
    return this.runtime.parts.outbox.within(this.transaction).submitter.submit(route, args, this.resolved());
  }

  protected async sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]> {
    const { submitter } = this.runtime.parts.outbox.within(this.transaction);
    return sendBatch(submitter, this.clock, route, jobs, this.options);
  }

  private resolved() {
    return resolveSubmitOptions(this.options, this.clock.now());
  }
}
