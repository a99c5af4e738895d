import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import { type CurrentTaskHook, currentTaskHook } from './current-task-hook.js';
import { AttemptContext } from './task-context.js';
import type { HostedCall, TaskCall, TaskDefinition, TaskRunner } from './task-definition.js';
import { ThreadPool, type ThreadPoolOptions } from './threads/thread-pool.js';

/** Runs tasks on the main thread. */
export class InlineRunner implements TaskRunner {
  run(task: TaskDefinition, call: TaskCall): unknown {
    const { args } = call;
    if (task.contextIndex !== null) {
      // Omitted optional arguments stand between the given ones and the context.
      while (args.length < task.contextIndex) args.push(undefined);
      args[task.contextIndex] = new AttemptContext(call);
    }
    const hook = currentTaskHook();
    return hook === undefined ? task.invoke(args, call) : invokeWithin(hook, task, call);
  }

  async close(): Promise<void> {}
}

/** Runs CPU-bound tasks in worker threads. */
export class CpuRunner implements TaskRunner {
  private readonly threads: ThreadPool;

  constructor(options: Omit<ThreadPoolOptions, 'logger'>) {
    this.threads = new ThreadPool({ ...options, logger: new Logger('Flowrra') });
  }

  run(task: TaskDefinition, call: HostedCall): Promise<unknown> {
    if (task.target === null)
      throw new FlowrraConfigError(`CPU-bound task '${task.name}' has no file that a thread could load.`);
    return this.threads.run(task.target, call);
  }

  close(): Promise<void> {
    return this.threads.close();
  }
}

/** Apart: V8 calls a function that contains a closure more slowly, even if it creates none. */
function invokeWithin(hook: CurrentTaskHook, task: TaskDefinition, call: TaskCall): unknown {
  return hook(call, () => task.invoke(call.args, call));
}
