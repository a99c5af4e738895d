import {
  ContextMark,
  type NamedArgs,
  type NamedOutput,
  type TaskArgs,
  type TaskFunction,
  type TaskId,
  type TaskName,
  type TaskOutput,
} from './task-types.js';

/** The calls that start other jobs, of `ctx` and of `ctx.with({ … })`. */
export abstract class ChildCalls extends ContextMark {
  /**
   * Runs another task as a child job, on any worker, and resolves with its result. In the meantime this job is
   * suspended and holds no worker. A replay, a retry or a crash starts no second child: its id is derived from this
   * job's id, the task and the key. If this job fails for good or is cancelled, its unfinished children are cancelled.
   *
   * Calls of one task at the same time need a key each: `ctx.with({ key: item.id }).call(…)`.
   *
   * @throws {ChildFailedError} if the child has failed for good or was cancelled.
   * @throws {DurableTaskError} inside of a step, after the method has returned, or without the key that it needs.
   */
  call<N extends TaskName>(name: N, ...args: NamedArgs<N>): Promise<NamedOutput<N>>;
  call<A extends unknown[], R>(task: TaskFunction<A, R>, ...args: TaskArgs<A>): Promise<TaskOutput<R>>;
  call(task: unknown, ...args: unknown[]): Promise<unknown> {
    return this.start('call', task, args);
  }

  /**
   * Submits another job, once, and does not wait for it. Resolves with its id.
   *
   * @throws {DurableTaskError} as `call` does.
   */
  submit<N extends TaskName>(name: N, ...args: NamedArgs<N>): Promise<TaskId<NamedOutput<N>>>;
  submit<A extends unknown[], R>(
    task: TaskFunction<A, R>,
    ...args: TaskArgs<A>
  ): Promise<TaskId<TaskOutput<R>>>;
  submit(task: unknown, ...args: unknown[]): Promise<unknown> {
    return this.start('submit', task, args);
  }

  protected abstract start(
    kind: 'call' | 'submit',
    task: unknown,
    args: readonly unknown[],
  ): Promise<unknown>;
}
