import { type CurrentTaskHook, currentTaskHook } from './current-task-hook.js';
import { AttemptContext } from './task-context.js';
import type { TaskDefinition, TaskCall, TaskRunner } from './task-definition.js';

/** Runs tasks on the main thread. */
export class InlineRunner implements TaskRunner {
  run(task: TaskDefinition, call: TaskCall): unknown {
    const { args } = call;
    if (task.contextIndex !== null) {
      // Arguments that the caller left out stand between the given ones and the context.
      while (args.length < task.contextIndex) args.push(undefined);
      args[task.contextIndex] = new AttemptContext(call);
    }
    const hook = currentTaskHook();
    return hook === undefined ? task.invoke(args, call) : invokeTelling(hook, task, call);
  }

  async close(): Promise<void> {}
}

/** Apart: V8 calls a function that contains a closure more slowly, even if it creates none. */
function invokeTelling(hook: CurrentTaskHook, task: TaskDefinition, call: TaskCall): unknown {
  return hook(call, () => task.invoke(call.args, call));
}
