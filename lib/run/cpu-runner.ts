import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import type { Submitter } from './submitter.js';
import type { TaskDefinition } from './task-definition.js';
import type { TaskRegistry } from './task-registry.js';
import type { ResolvedOptions } from '../nest/options/resolved-options.js';
import { resolveSubmitOptions } from '../nest/options/resolve-submit-options.js';
import type { TaskCall, TaskRunner } from './task-runner.js';
import { ThreadRunner } from './threads/thread-runner.js';

/** Runs CPU-bound tasks in worker threads, and submits for them what they submit there. */
export class CpuRunner implements TaskRunner {
  private readonly threads: ThreadRunner;

  constructor({ cpu, clock }: ResolvedOptions, registry: TaskRegistry, submitter: Submitter) {
    this.threads = new ThreadRunner({
      threads: cpu.threads,
      module: cpu.module,
      resourceLimits: cpu.resourceLimits,
      clock,
      logger: new Logger('Flowrra'),
      submit: async ({ taskName, args, options }) =>
        submitter.submit(registry.route(taskName), args, resolveSubmitOptions(options, clock.now())),
    });
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
