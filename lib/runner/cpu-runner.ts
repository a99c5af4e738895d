import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../core/errors.js';
import type { Submitter } from '../core/submitter.js';
import type { TaskDefinition } from '../core/task-definition.js';
import type { TaskRegistry } from '../core/task-registry.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { resolveSubmitOptions } from '../options/resolve-submit-options.js';
import type { TaskCall, TaskRunner } from './task-runner.interface.js';
import { ThreadRunner } from './thread/thread-runner.js';

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
