import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { ResultNotFoundError } from '../job/errors.js';
import type { FlowrraEvent } from '../job/events.js';
import { lookedUpId } from '../job/names.js';
import { checkStepName } from '../job/durable-options.js';
import { showValue } from '../job/show-value.js';
import {
  type BatchJob,
  NO_SUBMIT_OPTIONS,
  resolveSubmitOptions,
  type SubmitOptions,
} from '../job/submit-options.js';
import type { RegisterOptions } from '../job/task-options.js';
import type { FinishedTaskResult, TaskResult } from '../job/task-result.js';
import type { TaskUpdate } from '../job/task-update.js';
import { GuardedObservable } from '../run/guarded-observable.js';
import { TaskRegistry, type TaskRoute } from '../run/task-registry.js';
import { TaskSubmission } from '../run/task-submission.js';
import type { TaskId } from '../run/task-types.js';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { FlowrraJobs } from './flowrra.jobs.js';
import { FlowrraOutbox } from './flowrra.outbox.js';
import { FlowrraQueues } from './flowrra.queues.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { FlowrraSchedules } from './flowrra.schedules.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from './options/module-options.js';
import {
  SIGNAL_RULES,
  type SignalOptions,
  CANCEL_RULES,
  type CancelOptions,
  STOP_RULES,
  type StopOptions,
  WAIT_RULES,
  type WaitForResultOptions,
} from './options/service-options.js';
import { SubmissionWithin } from './submission-within.js';
import { sendBatch, SubmissionWith } from './submission-with.js';

/**
 * Submits background tasks, and reads, cancels and waits for their jobs.
 *
 * Before Flowrra's `onModuleInit` and after its shutdown, all methods that read or change jobs reject with an
 * {@link ExecutorNotRunningError}. In a CPU thread, tasks can only be submitted: the other methods reject with a
 * {@link FlowrraConfigError}.
 */
@Injectable()
export class FlowrraService extends TaskSubmission implements AsyncDisposable {
  /** Reads jobs, retries failed ones and removes finished ones. */
  readonly jobs: FlowrraJobs;
  /** Pauses and resumes queues. */
  readonly queues: FlowrraQueues;
  /** Sets, reads, pauses, resumes, triggers and removes schedules, of decorators and of run time. */
  readonly schedules: FlowrraSchedules;
  /** The jobs that were submitted in transactions and that the engine does not have yet. */
  readonly outbox: FlowrraOutbox;

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
    this.outbox = new FlowrraOutbox(runtime);
    this.schedules = new FlowrraSchedules(runtime, registry, options);
  }

  /** Whether Flowrra is started and not stopping. */
  get isRunning(): boolean {
    return this.runtime.isRunning;
  }

  /** The events of jobs and schedules in this process. An error of a subscriber is logged and has no other effect. */
  get events$(): Observable<FlowrraEvent> {
    return this.runtime.events.events$;
  }

  /**
   * Submits with options: `flowrra.with({ priority: 1, delay: '5m' }).submit(…)`. Times are measured from the
   * submission, so the returned object can be reused.
   *
   * @throws {FlowrraConfigError} if an option is unknown or invalid.
   */
  with(options: SubmitOptions): TaskSubmission {
    const { clock } = this.options;
    resolveSubmitOptions(options, clock.now());
    return new SubmissionWith(this.registry, this.runtime, clock, options);
  }

  /**
   * Submits in a transaction of your database: `flowrra.within(tx).submit(this.mail.receipt, id)`. The job exists from
   * the commit on, and never if the transaction is rolled back, whichever engine runs it. Needs `forRoot({ outbox })`.
   *
   * @param transaction The transaction of Prisma, TypeORM, Drizzle, Kysely, Knex, MikroORM or a driver; or a
   *   `SqlConnection`. A submission rejects with a {@link FlowrraConfigError} if it is not recognised, or has ended.
   */
  within(transaction: object): SubmissionWithin {
    return new SubmissionWithin(this.registry, this.runtime, this.options.clock, transaction);
  }

  /**
   * The present state of a job, with its result if it has one. `null` if the id is unknown or the result has expired.
   *
   * @throws {FlowrraConfigError} if the id is not a string.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   * @throws any error of a configured backend.
   */
  getResult<R>(taskId: TaskId<R>): Promise<TaskResult<R> | null>;
  getResult<R = unknown>(taskId: string): Promise<TaskResult<R> | null>;
  async getResult(taskId: string): Promise<TaskResult | null> {
    const { results } = this.runtime.parts;
    const id = lookedUpId(taskId);
    return id === null ? null : results.get(id);
  }

  /**
   * Waits until a job has succeeded, failed or been cancelled. Resolves for a failed job too.
   *
   * @throws {TaskTimeoutError} after `timeout`. The job is not affected.
   * @throws {ResultNotFoundError} if no job with the id is known.
   * @throws {ResultExpiredError} if the result has expired.
   * @throws {FlowrraConfigError} if an option is unknown or invalid, or the id is not a string.
   * @throws {ExecutorNotRunningError} if Flowrra is not running, or is stopped during the wait.
   * @throws {EngineError} if the engine cannot be queried.
   * @throws the reason of `signal`, if it is aborted, and any error of a configured backend.
   */
  waitForResult<R>(taskId: TaskId<R>, options?: WaitForResultOptions): Promise<FinishedTaskResult<R>>;
  waitForResult<R = unknown>(taskId: string, options?: WaitForResultOptions): Promise<FinishedTaskResult<R>>;
  waitForResult(taskId: string, options?: WaitForResultOptions): Promise<FinishedTaskResult> {
    try {
      // Not an async function: with hundreds of thousands of waits, one more promise each takes much memory.
      const { results } = this.runtime.parts;
      return results.waitFor(
        knowable(taskId),
        options && WAIT_RULES.resolve(options, 'waitForResult()', 'waitForResult '),
      ) as Promise<FinishedTaskResult>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The status, progress and log lines of a job, whichever process runs it: the present state at once, then an
   * update for each change, and the final state, with which the Observable completes.
   *
   * Nothing happens before the subscription, and unsubscribing releases everything. All subscribers of a job share
   * the reads of the engine. Changes that are stored during a read are one update. A change in this process is
   * emitted when it is stored, a change in another process within about a second. Progress and log lines are stored
   * at most every 250 ms. If the engine cannot be queried after the first update, the Observable waits.
   *
   * The Observable fails with:
   * - {@link ResultNotFoundError} if no job with the id is known;
   * - {@link ResultExpiredError} if the result has expired;
   * - {@link ExecutorNotRunningError} if Flowrra is not running, or stops before the job has ended;
   * - {@link FlowrraConfigError} if the id is not a string, and in a CPU thread;
   * - {@link EngineError} if the engine cannot be queried for the first update;
   * - {@link PayloadError} if the result cannot be read, and any error of a configured backend.
   *
   * An error of a subscriber is logged and has no other effect, and so is an error that a subscriber does not handle.
   */
  watch(taskId: string): Observable<TaskUpdate> {
    return new GuardedObservable('watch()', (subscriber) =>
      this.runtime.parts.watches.subscribe(knowable(taskId), subscriber),
    );
  }

  /**
   * Cancels a job in any process.
   *
   * A waiting, delayed or retrying job ends at once. The `signal` of a running job is aborted within a second. The
   * job ends as cancelled when its code ends, at the latest after the task's `killGrace`. Then a CPU-bound task's
   * thread is ended; other code continues, and its result is ignored. A job may still succeed if it ends before the
   * abort.
   *
   * @returns `false` if the job had already ended.
   * @throws {ResultNotFoundError} if no job with the id is known, or its result has expired.
   * @throws {FlowrraConfigError} if an option is unknown or invalid, or the id is not a string.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async cancel(taskId: string, options: CancelOptions = {}): Promise<boolean> {
    const { reason } = CANCEL_RULES.resolve(options, 'cancel()', '');
    const { operations } = this.runtime.parts;
    return operations.cancel(knowable(taskId), reason);
  }

  /**
   * Sends a signal to a job: `ctx.waitFor(name)` of its method resolves with the value. A signal that comes before the
   * job waits for it is kept until then. Resolves when the signal is as safe as a job.
   *
   * @param name 1 to 200 characters.
   * @param value A payload, like an argument of a task.
   * @throws {ResultNotFoundError} if no job with the id is known, or its result has expired.
   * @throws {JobFinishedError} if the job has ended.
   * @throws {JournalFullError} if 25,000 signals and ends of child jobs have been posted to the job.
   * @throws {PayloadError} if the value cannot be serialized, or is too large.
   * @throws {FlowrraConfigError} if an argument is invalid, the engine keeps no journals, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine does not answer. The signal may have been stored: give an `id` to repeat it safely.
   */
  async signal(taskId: string, name: string, value?: unknown, options: SignalOptions = {}): Promise<void> {
    const { id } = SIGNAL_RULES.resolve(options, 'signal()', '');
    const { durable } = this.runtime.parts;
    return durable.signal(knowable(taskId), checkStepName(name, 'signal() name'), value, id);
  }

  /**
   * The number of unfinished jobs that are not running: waiting, delayed and retrying ones, in all queues. Suspended
   * ones do not count.
   *
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {FlowrraConfigError} in a CPU thread.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async pendingCount(): Promise<number> {
    return this.runtime.parts.engine.pendingCount();
  }

  /**
   * Makes a plain function a task, before or after the start. It can be submitted by its name or by the function
   * itself.
   *
   * @throws {FlowrraConfigError} if an option is unknown or invalid, or another task has the name.
   */
  register<A extends unknown[], R>(options: RegisterOptions, fn: (...args: A) => R): void {
    this.discovery.register(options, fn);
  }

  /**
   * Adds the tasks and listeners of modules that were loaded lazily after the start.
   *
   * @throws {FlowrraConfigError} if a task is invalid, or such a module declares a new queue.
   */
  discover(): void {
    this.discovery.discover();
    this.listeners.discover();
  }

  /**
   * Connects the engine and starts running jobs. Nest's lifecycle calls it. If Flowrra is running, it has no effect.
   *
   * @throws {FlowrraConfigError} if the engine does not support the options, or if `tasks` or a `deadLetter` names
   *   an unknown task.
   * @throws {EngineError} if the engine cannot be opened.
   */
  start(): Promise<void> {
    return this.runtime.start();
  }

  /**
   * Stops: starts no more jobs, lets running ones end, aborts those that take too long, and closes the engine and
   * the backend. Nest's lifecycle calls it. If Flowrra is stopped, it has no effect. `start` starts it again.
   *
   * @throws {FlowrraConfigError} if an option is unknown or invalid.
   * @throws any error of a configured backend's `close`.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { wait, timeout } = STOP_RULES.resolve(options, 'stop()', 'stop ');
    await this.runtime.close(wait ? (timeout ?? this.options.shutdownTimeout) : 0);
  }

  /** Stops, for `await using` outside of Nest's lifecycle. */
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
    return Promise.resolve(this.runtime.parts.outbox.submitter.submit(route, args, NO_SUBMIT_OPTIONS));
  }

  protected sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]> {
    return sendBatch(this.runtime.parts.outbox.submitter, this.options.clock, route, jobs, {});
  }
}

/** @throws {ResultNotFoundError} for an id that no job can have. */
function knowable(taskId: unknown): string {
  const id = lookedUpId(taskId);
  if (id !== null) return id;
  throw new ResultNotFoundError(`No job ${showValue(taskId)} is known: no job can have this id.`);
}
