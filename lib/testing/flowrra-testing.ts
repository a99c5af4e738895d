import { Inject, Injectable } from '@nestjs/common';
import { copyPlain } from '../job/payload/payload-codec.js';
import type { TaskClass } from '../run/task-submission.js';
import type { TaskArgs, TaskFunction, TaskName } from '../run/task-types.js';
import { TaskRegistry } from '../run/task-registry.js';
import { TaskDiscovery } from '../nest/discovery/task-discovery.js';
import { TaskListeners } from '../nest/discovery/task-listeners.js';
import { FlowrraRuntime } from '../nest/flowrra.runtime.js';
import { FlowrraService } from '../nest/flowrra.service.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../nest/options/resolved-options.js';
import type { TestClock } from './test-clock.js';
import type { Recorded } from './test-connection.js';
import type { TestEngine } from './test-engine.js';

/** One job that the code under test has submitted. */
export interface SubmittedJob<A extends readonly unknown[] = unknown[]> {
  /** The job's id, as `submit` returned it. */
  readonly taskId: string;
  readonly taskName: string;
  /** The queue that it went into. */
  readonly queue: string;
  /** A copy, as it travels. */
  readonly args: A;
  /** As it was given with the job; 0 otherwise. */
  readonly priority: number;
  /** Milliseconds until it is due. */
  readonly delay: number;
  /** As it was given with the job; `{}` for nothing. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

type MethodOf<T, K extends keyof T> = T[K] extends (...args: infer A) => unknown ? TaskArgs<A> : never;

/** Flowrra in a test: what the application injects as `FlowrraService`, and what the test asks and drives. */
@Injectable()
export class FlowrraTesting extends FlowrraService {
  private readonly engine: TestEngine;
  /** Stands still until the test moves it: `await flowrra.clock.advance('5m')`. */
  readonly clock: TestClock;

  constructor(
    @Inject(RESOLVED_OPTIONS) options: ResolvedOptions,
    @Inject(TaskRegistry) registry: TaskRegistry,
    @Inject(TaskDiscovery) discovery: TaskDiscovery,
    @Inject(TaskListeners) listeners: TaskListeners,
    @Inject(FlowrraRuntime) runtime: FlowrraRuntime,
  ) {
    super(options, registry, discovery, listeners, runtime);
    this.engine = options.engine as TestEngine;
    this.clock = options.clock as TestClock;
  }

  /** Runs what is due, what that submits, and so on. Retries and delayed jobs come due with the {@link clock}. */
  async drain(): Promise<void> {
    await this.engine.drainDue();
  }

  /** Every job that was submitted, or those of one task, in their order. */
  submitted(): SubmittedJob[];
  submitted<N extends TaskName>(name: N): SubmittedJob[];
  submitted<T extends object, K extends keyof T & string>(
    type: TaskClass<T>,
    method: K,
  ): SubmittedJob<MethodOf<T, K>>[];
  submitted<A extends unknown[], R>(task: TaskFunction<A, R>): SubmittedJob<TaskArgs<A>>[];
  submitted(task?: unknown, method?: string): SubmittedJob[] {
    const name = task === undefined ? null : this.nameOf(task, method);
    return this.engine.submitted
      .map(submittedJob)
      .filter(({ taskName }) => name === null || taskName === name);
  }

  /** Forgets what was submitted so far, so that a test sees its own alone. */
  clearSubmitted(): void {
    this.engine.submitted.length = 0;
  }

  private nameOf(task: unknown, method: string | undefined): string {
    if (method === undefined) return this.registry.route(task).name;
    const routes = this.registry.tasksOf(task);
    return (
      routes.get(method)?.name ?? this.registry.route(`${(task as { name: string }).name}.${method}`).name
    );
  }
}

function submittedJob({ taskId, job }: Recorded): SubmittedJob {
  const { taskName, queue, args, priority, delay, metadata = {} } = job;
  return { taskId, taskName, queue, args: copyPlain(args) as unknown[], priority, delay, metadata };
}
