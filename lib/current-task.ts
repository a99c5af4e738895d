import { AsyncLocalStorage } from 'node:async_hooks';
import { installCurrentTask } from './run/current-task-hook.js';
import { AttemptContext, type ContextSource, type TaskContext } from './run/task-context.js';

const storage = new AsyncLocalStorage<ContextSource>();
installCurrentTask((call, run) => storage.run(call, run));

/**
 * The context of the task that calls this, also from functions below its handler; `undefined` outside of tasks.
 * Attempts have the cost of an `AsyncLocalStorage` only if this file is imported.
 */
export function currentTask(): TaskContext | undefined {
  const call = storage.getStore();
  return call === undefined ? undefined : new AttemptContext(call);
}
