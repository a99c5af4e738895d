import type { ContextSource } from './task-context.js';

/** Runs code so that `currentTask()` returns its context. */
export type CurrentTaskHook = <R>(call: ContextSource, run: () => R) => R;

/**
 * On the global object, which all loaded copies of this package share. Empty until
 * `flowrra/current-task` is imported: applications that do not import it do not pay for `AsyncLocalStorage`.
 */
const KEY = Symbol.for('flowrra:current-task');
const holder = ((globalThis as Record<symbol, unknown>)[KEY] ??= {}) as { hook?: CurrentTaskHook };

/** Each loaded copy of the package adds its own hook. */
export function installCurrentTask(hook: CurrentTaskHook): void {
  const before = holder.hook;
  holder.hook = (call, run) => hook(call, () => (before ? before(call, run) : run()));
}

/** `undefined` until `flowrra/current-task` is imported. */
export function currentTaskHook(): CurrentTaskHook | undefined {
  return holder.hook;
}
