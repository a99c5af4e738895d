import type { ContextSource } from './task-context.js';

/** Runs code so that `currentTask()` tells of its job. */
export type CurrentTaskHook = <R>(call: ContextSource, run: () => R) => R;

/**
 * On the global object, which every copy of this package that may be loaded shares. It is empty as
 * long as `flowrra/current-task` has not been imported: following every asynchronous step has its
 * price, which only those pay who ask.
 */
const KEY = Symbol.for('flowrra:current-task');
const holder = ((globalThis as Record<symbol, unknown>)[KEY] ??= {}) as { hook?: CurrentTaskHook };

/** Each copy of the package tells its own. */
export function installCurrentTask(hook: CurrentTaskHook): void {
  const before = holder.hook;
  holder.hook = (call, run) => hook(call, () => (before ? before(call, run) : run()));
}

/** `undefined` as long as nobody can ask. */
export function currentTaskHook(): CurrentTaskHook | undefined {
  return holder.hook;
}
