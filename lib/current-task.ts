import { AsyncLocalStorage } from 'node:async_hooks';
import { installCurrentTask } from './run/current-task-hook.js';
import { AttemptContext, type ContextSource, type TaskContext } from './run/task-context.js';

const storage = new AsyncLocalStorage<ContextSource>();
installCurrentTask((call, run) => storage.run(call, run));

/**
 * The context of the task inside which this is called, however deep below its handler; `undefined`
 * outside of tasks. Importing this file is what makes attempts tell.
 */
export function currentTask(): TaskContext | undefined {
  const call = storage.getStore();
  return call === undefined ? undefined : new AttemptContext(call);
}
