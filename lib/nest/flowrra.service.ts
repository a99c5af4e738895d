import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { Clock } from '../job/clock.js';
import { type Duration, parseDuration } from '../job/duration.js';
import { ResultNotFoundError } from '../job/errors.js';
import type { FlowrraEvent } from '../job/events.js';
import { showValue } from '../job/show-value.js';
import { TaskRegistry, type TaskRoute } from '../run/task-registry.js';
import type { FinishedTaskResult, TaskResult } from '../job/task-result.js';
import { TaskSubmission } from '../run/task-submission.js';
import type { TaskId } from '../run/task-types.js';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from './options/resolved-options.js';
import { FlowrraJobs } from './flowrra.jobs.js';
import { FlowrraQueues } from './flowrra.queues.js';
import { checkKeys, flag, keysOf, wrong } from '../job/check.js';
import { lookedUpId } from '../job/names.js';
import { NO_SUBMIT_OPTIONS } from '../job/submission.js';
import { resolveSubmitOptions } from './options/resolve-submit-options.js';
import type { BatchJob, RegisterOptions, SubmitOptions } from '../job/task-options.js';
import type { WaitOptions } from '../results/result-backend.js';

/** Options of `waitForResult()`. */
export interface WaitForResultOptions {
  /** How long to wait. Default: without limit. */
  timeout?: Duration;
  /** Aborting it gives up at once, with its reason. */
  signal?: AbortSignal;
}

/** Options of `stop()`. */
export interface StopOptions {
  /** Let running tasks finish and, on the memory engine, waiting ones as well. Default `true`. */
  wait?: boolean;
  /** How long to wait before running tasks are aborted. Default `shutdownTimeout`, 30 s. */
  timeout?: Duration;
}

/** Options of `cancel()`. */
export interface CancelOptions {
  /** Why, for whoever looks at the job: at most 1,000 characters. Default `'Cancelled'`. */
  reason?: string;
}

const WAIT_KEYS = keysOf<WaitForResultOptions>({ timeout: true, signal: true });
const STOP_KEYS = keysOf<StopOptions>({ wait: true, timeout: true });
const CANCEL_KEYS = keysOf<CancelOptions>({ reason: true });

const LONGEST_REASON = 1_000;

/**
 * The executor: submits background tasks, and knows what became of them.
 *
 * Before Flowrra's `onModuleInit`, and after its shutdown, whatever asks about jobs, or does
 * something to them, rejects with {@link ExecutorNotRunningError}.
 */
@Injectable()
export class FlowrraService extends TaskSubmission implements AsyncDisposable {
  /** Looking at jobs; putting failed ones back, and forgetting finished ones. */
  readonly jobs: FlowrraJobs;
  /** Pausing and resuming queues. */
  readonly queues: FlowrraQueues;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    registry: TaskRegistry,
    private readonly discovery: TaskDiscovery,
    private readonly listeners: TaskListeners,
    private readonly runtime: FlowrraRuntime,
  ) {
    super(registry);
    this.jobs = new FlowrraJobs(runtime, options.clock);
    this.queues = new FlowrraQueues(runtime, options.queues);
  }

  /** Whether it is started and not stopping. */
  get isRunning(): boolean {
    return this.runtime.isRunning;
  }

  /** What happens to jobs in this process. A subscriber that throws is logged and disturbs nobody. */
  get events$(): Observable<FlowrraEvent> {
    return this.runtime.events.events$;
  }

  /**
   * The same submissions with options: `flowrra.with({ priority: 1, delay: '5m' }).submit(…)`.
   *
   * @throws {FlowrraConfigError} if an option is unknown or out of range.
   */
  with(options: SubmitOptions): TaskSubmission {
    const { clock } = this.options;
    resolveSubmitOptions(options, clock.now());
    return new SubmissionWith(this.registry, this.runtime, clock, options);
  }

  /**
   * A job's state now, or `null` for an id that is unknown or whose result has been dropped.
   *
   * @throws {BackendError} or whatever a configured backend rejects with.
   */
  getResult<R>(taskId: TaskId<R>): Promise<TaskResult<R> | null>;
  getResult<R = unknown>(taskId: string): Promise<TaskResult<R> | null>;
  async getResult(taskId: string): Promise<TaskResult | null> {
    const { results } = this.runtime.parts;
    const id = lookedUpId(taskId);
    return id === null ? null : results.get(id);
  }

  /**
   * Waits until a job has succeeded, failed or been cancelled; a failed one does not reject.
   *
   * @throws {TaskTimeoutError} when `timeout` is over; the job goes on.
   * @throws {ResultNotFoundError} for an id that nobody knows.
   * @throws {ResultExpiredError} if the result has been dropped.
   */
  waitForResult<R>(taskId: TaskId<R>, options?: WaitForResultOptions): Promise<FinishedTaskResult<R>>;
  waitForResult<R = unknown>(taskId: string, options?: WaitForResultOptions): Promise<FinishedTaskResult<R>>;
  waitForResult(taskId: string, options?: WaitForResultOptions): Promise<FinishedTaskResult> {
    try {
      // Not an async function: hundreds of thousands may wait, and each promise counts.
      const { results } = this.runtime.parts;
      return results.waitFor(
        knowable(taskId),
        options && resolveWait(options),
      ) as Promise<FinishedTaskResult>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Cancels a job, wherever it is. One that waits, is delayed or is to be retried is over at once.
   * One that runs, in whichever process, has its `signal` aborted within a second and ends as
   * cancelled when it obeys, or after its task's `killGrace`: in a worker thread that is then ended,
   * elsewhere its code runs on, and what it returns counts no more. One that takes only a few
   * milliseconds may succeed before it hears.
   *
   * Resolves with `false` if the job had ended before.
   *
   * @throws {ResultNotFoundError} for an id that nobody knows.
   */
  async cancel(taskId: string, options: CancelOptions = {}): Promise<boolean> {
    checkKeys(options, CANCEL_KEYS, 'cancel()');
    const { reason = 'Cancelled' } = options;
    if (typeof reason !== 'string' || reason === '' || reason.length > LONGEST_REASON)
      throw wrong('reason', reason, `It must be 1 to ${LONGEST_REASON} characters.`);
    const { operations } = this.runtime.parts;
    return operations.cancel(knowable(taskId), reason);
  }

  /** How many unfinished jobs are not running: waiting, delayed and retrying ones. */
  async pendingCount(): Promise<number> {
    return this.runtime.parts.engine.pendingCount();
  }

  /**
   * Makes a plain function a task, before or after the start. It may then be submitted by its
   * name or by itself.
   *
   * @throws {FlowrraConfigError} if an option is wrong or the name is taken.
   */
  register<A extends unknown[], R>(options: RegisterOptions, fn: (...args: A) => R): void {
    this.discovery.register(options, fn);
  }

  /**
   * Looks for tasks and listeners again, in modules that were loaded lazily since.
   *
   * @throws {FlowrraConfigError} if a task is wrong, or such a module brings a queue that was not there at the start.
   */
  discover(): void {
    this.discovery.discover();
    this.listeners.discover();
  }

  /** Connects and starts running jobs. Nest's lifecycle calls it; calling it twice changes nothing. */
  start(): Promise<void> {
    return this.runtime.start();
  }

  /**
   * Stops: hands out no more jobs, lets running ones finish, aborts those that do not, and releases
   * everything. Nest's lifecycle calls it; calling it twice changes nothing, and `start` starts again.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    checkKeys(options, STOP_KEYS, 'stop()');
    const { timeout } = options;
    const wait = flag(options.wait, 'stop wait', true);
    const grace =
      timeout === undefined ? this.options.shutdownTimeout : parseDuration(timeout, 'stop timeout');
    await this.runtime.close(wait ? grace : 0);
  }

  /** `await using`, where Nest's lifecycle does not reach. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  protected get isConnected(): boolean {
    return this.runtime.isConnected;
  }

  protected assertConnected(): void {
    void this.runtime.parts;
  }

  protected send(route: TaskRoute, args: readonly unknown[]): Promise<string> {
    return Promise.resolve(this.runtime.parts.submitter.submit(route, args, NO_SUBMIT_OPTIONS));
  }

  protected sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]> {
    return sendBatch(this.runtime, this.options.clock, route, jobs, {});
  }
}

/** @throws {ResultNotFoundError} for what no job can have as its id. */
function knowable(taskId: unknown): string {
  const id = lookedUpId(taskId);
  if (id !== null) return id;
  throw new ResultNotFoundError(`No job ${showValue(taskId)} is known: no job can have this id.`);
}

function resolveWait(options: WaitForResultOptions): WaitOptions {
  checkKeys(options, WAIT_KEYS, 'waitForResult()');
  const { timeout, signal } = options;
  return {
    timeout: timeout === undefined ? undefined : parseDuration(timeout, 'waitForResult timeout'),
    signal,
  };
}

class SubmissionWith extends TaskSubmission {
  constructor(
    registry: TaskRegistry,
    private readonly runtime: FlowrraRuntime,
    private readonly clock: Clock,
    private readonly options: SubmitOptions,
  ) {
    super(registry);
  }

  protected get isConnected(): boolean {
    return this.runtime.isConnected;
  }

  protected assertConnected(): void {
    void this.runtime.parts;
  }

  protected send(route: TaskRoute, args: readonly unknown[]): Promise<string> {
    // Resolved again at each submission, so that `runAt` is measured from then.
    const options = resolveSubmitOptions(this.options, this.clock.now());
    return Promise.resolve(this.runtime.parts.submitter.submit(route, args, options));
  }

  protected sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]> {
    return sendBatch(this.runtime, this.clock, route, jobs, this.options);
  }
}

/** @param common Options of all jobs, over which those of each go. */
function sendBatch(
  { parts }: FlowrraRuntime,
  clock: Clock,
  route: TaskRoute,
  jobs: readonly BatchJob<unknown[]>[],
  common: SubmitOptions,
): Promise<string[]> {
  const now = clock.now();
  const shared = resolveSubmitOptions(common, now);
  const submissions = jobs.map(({ args, ...own }) => ({
    args,
    options: Object.keys(own).length === 0 ? shared : resolveSubmitOptions({ ...common, ...own }, now),
  }));
  return parts.submitter.submitMany(route, submissions);
}
