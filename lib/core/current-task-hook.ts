import type { ContextSource } from './task-context.js';

/** Runs code so that `currentTask()` tells of its job. */
export type CurrentTaskHook = <R>(call: ContextSource, run: () => R) => R;

/**
 * On the global object, as long as `flowrra/current-task` has been imported: following every
 * asynchronous step has its price, which only those pay who ask. Several copies of this package may be
 * loaded, and each tells its own.
 */
const KEY = Symbol.for('flowrra:current-task');

export function installCurrentTask(hook: CurrentTaskHook): void {
  const before = currentTaskHook();
  const both: CurrentTaskHook = (call, run) => hook(call, () => (before ? before(call, run) : run()));
  (globalThis as Record<symbol, unknown>)[KEY] = both;
}

/** `undefined` as long as nobody can ask. */
export function currentTaskHook(): CurrentTaskHook | undefined {
  return (globalThis as Record<symbol, unknown>)[KEY] as CurrentTaskHook | undefined;
}
