import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import type { TaskDefinition, TaskCall, TaskRunner } from './task-definition.js';
import { ThreadRunner, type ThreadRunnerOptions } from './threads/thread-runner.js';

/** Runs CPU-bound tasks in worker threads. */
export class CpuRunner implements TaskRunner {
  private readonly threads: ThreadRunner;

  constructor(options: Omit<ThreadRunnerOptions, 'logger'>) {
    this.threads = new ThreadRunner({ ...options, logger: new Logger('Flowrra') });
  }

  run(task: TaskDefinition, call: TaskCall): Promise<unknown> {
    if (task.target === null) {
      throw new FlowrraConfigError(`CPU-bound task '${task.name}' has no file that a thread could load.`);
    }
    return this.threads.run(task.target, call);
  }

  close(): Promise<void> {
    return this.threads.close();
  }
}
