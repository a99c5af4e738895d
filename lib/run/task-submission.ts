import type { BatchJob } from '../job/task-options.js';
import { FlowrraConfigError } from '../job/errors.js';
import { showValue } from '../job/show-value.js';
import type { TaskRegistry, TaskRoute } from './task-registry.js';
import type {
  NamedArgs,
  NamedOutput,
  TaskArgs,
  TaskFunction,
  TaskId,
  TaskName,
  TaskOutput,
  TaskSubmitters,
} from './task-types.js';

/** A class with tasks. It may be abstract, if it is an injection token. */
export type TaskClass<T> = abstract new (...args: never) => T;

/** The ways to submit a task, of `flowrra` and of `flowrra.with({ … })`. */
export abstract class TaskSubmission {
  constructor(protected readonly registry: TaskRegistry) {}

  /**
   * Submits a task by its name. All other errors are those of a submission by the method.
   *
   * @throws {TaskNotFoundError} for a name that is neither a task here nor a declared remote one.
   */
  submit<N extends TaskName>(name: N, ...args: NamedArgs<N>): Promise<TaskId<NamedOutput<N>>>;
  /**
   * Submits a task by its method, such as `this.emails.sendWelcome`. Resolves with the job's id
   * once the engine has stored the job; the task itself runs later.
   *
   * For an overloaded method, TypeScript checks the arguments against the last signature.
   *
   * @throws {TaskNotFoundError} if the function is not a task, or belongs to several tasks.
   * @throws {PayloadError} if an argument cannot be serialized, or is too large.
   * @throws {TaskArgumentsError} if a schema of the task rejects the arguments. Errors of the task's pipes are thrown unchanged.
   * @throws {QueueFullError} if `maxPending` is reached and `whenFull` is `'reject'`.
   * @throws {BackendError} if a configured backend could not record the job.
   * @throws {EngineError} if the engine could not store the job.
   * @throws {SubmitUncertainError} if the server did not answer, so that the job may or may not be stored.
   * @throws {ExecutorNotRunningError} before Flowrra's `onModuleInit`, and after its shutdown.
   */
  submit<A extends unknown[], R>(
    task: TaskFunction<A, R>,
    ...args: TaskArgs<A>
  ): Promise<TaskId<TaskOutput<R>>>;
  submit(task: unknown, ...args: unknown[]): Promise<TaskId> {
    try {
      // First: before the start no task is known.
      this.assertConnected();
      return this.send(this.registry.route(task), args);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Submits many jobs of one task in one operation; the ids are in the order of the jobs. A job is the array of
   * its arguments, or an object with options of its own: `{ args: ['ada'], priority: 1 }`.
   * If one job is rejected, none is stored; on BullMQ with Redis, the jobs before it may be stored.
   * The errors are those of `submit`.
   */
  submitMany<N extends TaskName>(
    name: N,
    jobs: readonly (NamedArgs<N> | BatchJob<NamedArgs<N>>)[],
  ): Promise<TaskId<NamedOutput<N>>[]>;
  submitMany<A extends unknown[], R>(
    task: TaskFunction<A, R>,
    jobs: readonly (TaskArgs<A> | BatchJob<TaskArgs<A>>)[],
  ): Promise<TaskId<TaskOutput<R>>[]>;
  submitMany(task: unknown, jobs: readonly unknown[]): Promise<TaskId[]> {
    try {
      this.assertConnected();
      if (!Array.isArray(jobs)) throw badBatch('the second argument', jobs);
      // Unlike `map`, `Array.from` does not skip holes.
      return this.sendMany(this.registry.route(task), Array.from(jobs as unknown[], batchJob));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The tasks of a class as typed submissions, without an instance:
   * `flowrra.tasks(EmailTasks).sendWelcome('ada@example.com', 'Ada')`. The arguments and the result of
   * a generic method are `unknown`.
   *
   * May be called before the start, such as in a constructor; submit only after the start.
   *
   * @throws {TaskNotFoundError} if the class has no tasks here, or no task of that name.
   */
  tasks<T extends object>(type: TaskClass<T>): TaskSubmitters<T> {
    if (this.isConnected) this.registry.tasksOf(type);
    return new Proxy(Object.create(null) as TaskSubmitters<T>, {
      get: (_target, key) => {
        // To await or to inspect the proxy must not submit a job.
        if (typeof key === 'symbol' || key === 'then') return undefined;
        if (this.isConnected) this.registry.routeOf(type, key);
        return (...args: unknown[]) => this.sendOf(type, key, args);
      },
    });
  }

  /** Whether submissions are accepted, and all tasks known. */
  protected abstract readonly isConnected: boolean;
  /** @throws {ExecutorNotRunningError} unless {@link isConnected}. */
  protected abstract assertConnected(): void;
  protected abstract send(route: TaskRoute, args: readonly unknown[]): Promise<string>;
  protected abstract sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]>;

  private sendOf(type: TaskClass<object>, key: string, args: readonly unknown[]): Promise<string> {
    try {
      this.assertConnected();
      return this.send(this.registry.routeOf(type, key), args);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function batchJob(job: unknown, index: number): BatchJob<unknown[]> {
  if (Array.isArray(job)) return { args: job };
  if (Array.isArray((job as { args?: unknown } | null)?.args)) return job as BatchJob<unknown[]>;
  throw badBatch(`job ${index}`, job);
}

function badBatch(what: string, given: unknown): FlowrraConfigError {
  return new FlowrraConfigError(
    `submitMany: ${what}, ${showValue(given)}, is not valid. Give an array of jobs, each the array of its arguments, or { args: […] } with options of its own: [[1], { args: [2], priority: 1 }].`,
  );
}
