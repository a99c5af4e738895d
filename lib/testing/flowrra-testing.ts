import { Inject, Injectable } from '@nestjs/common';
import { FlowrraConfigError, ResultNotFoundError } from '../job/errors.js';
import { type JobStep, stepsWithResults } from '../job/journal/journal-view.js';
import { copyPlain } from '../job/payload/payload-codec.js';
import type { TaskClass } from '../run/task-submission.js';
import type { TaskArgs, TaskFunction, TaskName } from '../run/task-types.js';
import { TaskRegistry } from '../run/task-registry.js';
import { TaskDiscovery } from '../nest/discovery/task-discovery.js';
import { TaskListeners } from '../nest/discovery/task-listeners.js';
import { FlowrraRuntime } from '../nest/flowrra.runtime.js';
import { FlowrraService } from '../nest/flowrra.service.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../nest/options/module-options.js';
import type { TestClock } from './test-clock.js';
import type { Recorded } from './test-connection.js';
import type { TestEngine } from './test-engine.js';

/** A job that the tested code has submitted. */
export interface SubmittedJob<A extends readonly unknown[] = unknown[]> {
  /** The job's id, as `submit` returned it. */
  readonly taskId: string;
  readonly taskName: string;
  /** The queue of the job. */
  readonly queue: string;
  /** A copy of the arguments, as they are stored with the job. */
  readonly args: A;
  /** The priority of the submission; 0 if none was given. */
  readonly priority: number;
  /** Milliseconds between the submission and the due time. */
  readonly delay: number;
  /** The metadata of the submission; `{}` if none was given. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The tags of the task and of the submission; `[]` for none. */
  readonly tags: readonly string[];
}

/** A step, a wait or a child job of a durable job, with its result. */
export interface RecordedStep extends JobStep {
  /** The result of a step or of a child job, or the value of a signal; `null` for none. */
  readonly result: unknown;
}

type MethodOf<T, K extends keyof T> = T[K] extends (...args: infer A) => unknown ? TaskArgs<A> : never;

/** Flowrra in a test: the application injects it as `FlowrraService`, and the test controls it. */
@Injectable()
export class FlowrraTesting extends FlowrraService {
  private readonly engine: TestEngine;
  /** Only the test moves it: `await flowrra.clock.advance('5m')`. */
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
    if (options.outbox !== null) this.engine.relay = () => this.outbox.relay();
  }

  /**
   * Runs the due jobs, and the due jobs that these submit, until none is left. Retries and delayed jobs become due
   * when the test moves the {@link clock}. A durable job runs until it waits for a time, a signal, or the retry of a
   * child job.
   *
   * @throws {DurableTaskError} with the option `replay`, if a run of a method differs from the run before.
   */
  async drain(): Promise<void> {
    await this.engine.drainDue();
  }

  /**
   * Runs due jobs, and moves the {@link clock} over retries and child jobs, until a durable job waits for a time or a
   * signal. Resolves with the steps that it waits for: `await flowrra.runUntilSuspended(id)`.
   *
   * @throws {ResultNotFoundError} if no job with the id is known, or its result has expired.
   * @throws {FlowrraConfigError} if the job ends first, or if no job is due and it does not wait.
   * @throws {DurableTaskError} with the option `replay`, if a run of a method differs from the run before.
   */
  async runUntilSuspended(taskId: string): Promise<readonly RecordedStep[]> {
    for (;;) {
      await this.drain();
      const job = await this.getResult(taskId);
      if (job === null) throw new ResultNotFoundError(`runUntilSuspended(): no job '${taskId}' is known.`);
      const waits = (await this.steps(taskId)).filter(({ status }) => status === 'waiting');
      if (job.status === 'suspended' && waits.some(({ kind }) => kind === 'sleep' || kind === 'waitFor'))
        return waits;
      const due = await this.engine.nextDue();
      if (job.isComplete || due === null)
        throw new FlowrraConfigError(
          `runUntilSuspended(): the job '${taskId}' of ${job.taskName} has the status '${job.status}', and waits neither for a time nor for a signal. ${job.error ?? ''}`.trim(),
        );
      await this.clock.advance(due - this.clock.now());
    }
  }

  /**
   * The steps, waits and child jobs of a durable job with their results, in the order in which they began; `[]` for
   * none.
   */
  async steps(taskId: string): Promise<readonly RecordedStep[]> {
    const { entries } = await this.engine.journalOf(taskId);
    return stepsWithResults(entries).map(({ step, result }) => ({ ...step, result: result() }));
  }

  /**
   * All submitted jobs, or those of one task, in the order of submission.
   *
   * @throws {TaskNotFoundError} if the application does not know the task.
   */
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

  /** Clears the list of {@link submitted} jobs, so that a test sees only its own. */
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
  const { taskName, queue, args, priority, delay, metadata = {}, tags = [] } = job;
  return { taskId, taskName, queue, args: copyPlain(args) as unknown[], priority, delay, metadata, tags };
}
