import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import { type CurrentTaskHook, currentTaskHook } from './current-task-hook.js';
import { AttemptContext } from './task-context.js';
import type { TaskCall, TaskDefinition } from './task-definition.js';
import { ThreadRunner, type ThreadRunnerOptions } from './threads/thread-runner.js';

/** Runs the code of tasks. */
export interface TaskRunner {
  /** Runs one attempt. An error that it throws, or rejects with, is the attempt's error. */
  run(task: TaskDefinition, call: TaskCall): unknown;
  /** Releases the runner's resources. */
  close(): Promise<void>;
}

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
  private readonly threads: ThreadRunner;

  constructor(options: Omit<ThreadRunnerOptions, 'logger'>) {
    this.threads = new ThreadRunner({ ...options, logger: new Logger('Flowrra') });
  }

  run(task: TaskDefinition, call: TaskCall): Promise<unknown> {
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
