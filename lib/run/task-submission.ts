import type { BatchJob } from '../job/submit-options.js';
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

/** A class whose instances have tasks; an abstract one does, if it is an injection token. */
export type TaskClass<T> = abstract new (...args: never) => T;

/** Every way to submit a task. `flowrra` and `flowrra.with({ … })` both offer it. */
export abstract class TaskSubmission {
  constructor(protected readonly registry: TaskRegistry) {}

  /**
   * Submits a task by its name. Throws otherwise as a submission by the method does.
   *
   * @throws {TaskNotFoundError} for a name that is neither a task here nor a declared remote one.
   */
  submit<N extends TaskName>(name: N, ...args: NamedArgs<N>): Promise<TaskId<NamedOutput<N>>>;
  /**
   * Submits a task by its method, such as `this.emails.sendWelcome`. Resolves with the job's id
   * when the engine keeps the job; the task itself runs later.
   *
   * Of an overloaded method the last signature counts.
   *
   * @throws {TaskNotFoundError} if the function is no task, or does not tell which one is meant.
   * @throws {PayloadError} if an argument cannot travel.
   * @throws {TaskArgumentsError} if a schema of the task refuses them. What a pipe of the task throws.
   * @throws {QueueFullError} if `maxPending` is reached and `whenFull` is `'reject'`.
   * @throws {BackendError} if a configured backend could not record the job.
   * @throws {EngineError} if the engine could not keep the job.
   * @throws {SubmitUncertainError} if nobody can tell whether it keeps it.
   * @throws {ExecutorNotRunningError} before Flowrra's `onModuleInit`, and after its shutdown.
   */
  submit<A extends unknown[], R>(
    task: TaskFunction<A, R>,
    ...args: TaskArgs<A>
  ): Promise<TaskId<TaskOutput<R>>>;
  submit(task: unknown, ...args: unknown[]): Promise<TaskId> {
    try {
      // First, since no task is known before the start.
      this.assertConnected();
      return this.send(this.registry.route(task), args);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Submits one task many times, in one go; the ids come in the order of the jobs. A job is its
   * arguments, or an object of them and of options of its own: `{ args: ['ada'], priority: 1 }`.
   * If one of them cannot be accepted, none is: on every engine but BullMQ on Redis, where those
   * before it may have been. Throws as `submit` does.
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
      if (!Array.isArray(jobs)) throw noBatch('the second argument', jobs);
      // Unlike `map`, it does not pass over holes.
      return this.sendMany(this.registry.route(task), Array.from(jobs as unknown[], batchJob));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * A class's tasks as typed submissions, which need no instance:
   * `flowrra.tasks(EmailTasks).sendWelcome('ada@example.com', 'Ada')`. Of a generic method the
   * arguments and the result are `unknown` here.
   *
   * It may be called before the start, such as in a constructor; the tasks may be submitted after it.
   *
   * @throws {TaskNotFoundError} if the class has no tasks here, or for a name that is none of them.
   */
  tasks<T extends object>(type: TaskClass<T>): TaskSubmitters<T> {
    if (this.isConnected) this.registry.tasksOf(type);
    return new Proxy(Object.create(null) as TaskSubmitters<T>, {
      get: (_target, key) => {
        // `then`: awaiting the proxy by mistake must not submit anything. Symbols: inspection does not, either.
        if (typeof key === 'symbol' || key === 'then') return undefined;
        if (this.isConnected) this.registry.routeOf(type, key);
        return (...args: unknown[]) => this.sendOf(type, key, args);
      },
    });
  }

  /** Whether submissions are taken, and all tasks known. */
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
  throw noBatch(`job ${index}`, job);
}

function noBatch(what: string, given: unknown): FlowrraConfigError {
  return new FlowrraConfigError(
    `submitMany: ${what}, ${showValue(given)}, is not valid. Give an array of jobs, each the array of its arguments, or { args: […] } with options of its own: [[1], { args: [2], priority: 1 }].`,
  );
}
