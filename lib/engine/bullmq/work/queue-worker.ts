import type { Runs } from '../../../run/runs.js';
import { detached } from '../../../job/async.js';
import type { ResolvedQueue } from '../../../job/queue.js';
import type { EngineHost } from '../../engine.js';
import { BullAttempt } from './bull-attempt.js';
import { BullRun } from './bull-run.js';
import type { AnyJob, AnyWorker, BullServer } from '../server/bull-server.js';
import type { EarlyCancellations } from './early-cancellations.js';
import type { ResolvedBullMqOptions } from '../bullmq-options.js';
import { type Kept, keptFor, reasonIn } from '../job-mapping.js';
import { cancellationOf, isLost, repairCounter } from './before-start.js';
import { RateGate } from './rate-gate.js';
import type { JobPlace, ServerJobs } from '../server/server-jobs.js';
import { isMalformed } from '../malformed-job.js';
import type { StoringObserver } from './stored-outcome.js';
import { countResultsRarely, replaceOddRules } from './kept-results.js';

/** How soon after a failed call a worker tries again. BullMQ's own 15 s would let a lease end meanwhile. */
const RETRY_MS = 500;

/** The core fails a job whose workers die too often, so that observers and backends hear of it: BullMQ never has to. */
const NEVER = 2_000_000_000;

/** How soon a job that this process still runs is looked at again. */
const WHILE_RUNNING_MS = 1_000;

/** BullMQ's words for a lease that has ended: it is told in ours. */
const LOST = /could not renew lock|Missing lock|Lock mismatch|is not in the active state/;

export interface QueueWorkerParts {
  /** What this process's workers are called. */
  readonly worker: string;
  readonly host: EngineHost;
  readonly server: BullServer;
  readonly jobs: ServerJobs;
  readonly options: ResolvedBullMqOptions;
  readonly early: EarlyCancellations;
  /** The runs of all queues that have no outcome yet. */
  readonly live: Runs;
  /** Runs a task's code so that its own submissions are recognised. */
  readonly asTask: <R>(code: () => R) => R;
  /** A job has left the line. */
  left(): void;
  /** An outcome is stored; the job is over if it says so. */
  stored(run: BullRun): void;
  /** It is stored that a job goes on after this attempt. */
  putBack(run: BullRun): void;
  /** A job has ended as cancelled without being run again. */
  cancelledUnrun(attempt: BullAttempt, reason: string): void;
  /** Something has ended: whoever waits for quiet may look again. */
  changed(): void;
  trouble(error: Error): void;
}

/** One queue at work: a BullMQ worker whose processor asks the core. */
export class QueueWorker implements StoringObserver {
  private readonly worker: AnyWorker;
  /** By job: a job runs here once at a time. */
  private readonly runs = new Map<string, BullRun>();
  private readonly keep: Kept;
  private readonly gate: RateGate | null = null;
  private readonly queue: string;
  private paused = false;

  constructor(
    { name, concurrency, rateLimit, fleetRateLimit }: ResolvedQueue,
    private readonly parts: QueueWorkerParts,
  ) {
    const { server, options, host } = parts;
    this.queue = name;
    if (rateLimit !== null) this.gate = new RateGate(rateLimit, host.clock, this.shut, this.reopen);
    this.keep = keptFor(host.retention);
    this.worker = server.worker(name, this.process, {
      lockDuration: options.lease,
      stalledInterval: options.lease,
      maxStalledCount: NEVER,
      runRetryDelay: RETRY_MS,
      // For jobs that another program has added without a word about it.
      removeOnComplete: this.keep,
      removeOnFail: this.keep,
      ...(fleetRateLimit && { limiter: { max: fleetRateLimit.max, duration: fleetRateLimit.per } }),
      ...options.workerOptions,
      name: parts.worker,
      concurrency,
      autorun: false,
      settings: {
        backoffStrategy: (_made, _type, _error, job) => this.runs.get(job?.id ?? '')?.retryDelay ?? 0,
      },
    });
    this.worker.on('error', (error) => LOST.test(error.message) || this.trouble(error));
    this.worker.on('completed', (job) => this.settled(job));
    this.worker.on('failed', (job) => job && this.settled(job));
    this.worker.on('lockRenewalFailed', (taskIds) => this.late(taskIds));
  }

  /** Rejects if the server is out of reach. */
  async ready(): Promise<void> {
    await this.worker.waitUntilReady();
  }

  /** Whether the end of that job is about to be announced here. */
  isTelling(taskId: string): boolean {
    return this.runs.get(taskId)?.isBeingTold ?? false;
  }

  /** Attempts that run, or whose outcome is not stored yet. */
  get size(): number {
    return this.runs.size;
  }

  get running(): Iterable<BullRun> {
    return this.runs.values();
  }

  find(taskId: string): BullRun | undefined {
    return this.runs.get(taskId);
  }

  /** Tells a run of that job, if there is one, that it has been cancelled. Says `false` if there is none. */
  cancel(taskId: string, reason: string): boolean {
    const run = this.runs.get(taskId);
    if (run === undefined) return false;
    run.run.cancel(reason);
    return true;
  }

  start(): void {
    void detached(() => this.worker.run()).catch(this.parts.trouble);
  }

  /** Hands out no more; what runs goes on. */
  async pause(): Promise<void> {
    this.paused = true;
    this.gate?.close();
    await this.worker.pause(true);
  }

  /**
   * Ends when nothing of it runs any more.
   *
   * @param force Without the server, which could otherwise be waited for in vain.
   */
  close(force = false): Promise<void> {
    return this.worker.close(force);
  }

  private readonly process = async (job: AnyJob): Promise<unknown> => {
    const { host, server, early, live, asTask, left, changed } = this.parts;
    const { now } = host.clock;
    const attempt = new BullAttempt(job, this.queue, job.opts.priority ?? 0, now(), false);
    const run = new BullRun(job, host.run(attempt), now, this);
    // It was on its way when the stop began.
    if (this.paused) return run.tell({ kind: 'released', delay: 0 });
    // Its lease has ended while it runs here: BullMQ would mix up the leases of two runs of one job.
    if (this.runs.has(attempt.taskId)) return run.tell({ kind: 'released', delay: WHILE_RUNNING_MS });
    replaceOddRules(job.opts, this.keep);
    if (server.countsSlowly) countResultsRarely(job.opts, this.keep);
    this.runs.set(attempt.taskId, run);
    live.add(run.run);
    left();
    if (!Number.isInteger(job.attemptsMade)) await repairCounter(job, this.placeOf(job), this.parts);
    const waits = this.gate !== null || job.stalledCounter > 0 || early.has(attempt.taskId);
    if (waits && !(await this.mayStart(run))) {
      this.runs.delete(attempt.taskId);
      live.delete(run.run);
      changed();
      return run.tell({ kind: 'released', delay: 0 });
    }
    const outcome = await run.start(asTask);
    live.delete(run.run);
    return run.tell(outcome);
  };

  private async mayStart(run: BullRun): Promise<boolean> {
    const entering = this.gate?.enter((leave) => run.run.onAbort(leave)) ?? true;
    const { early } = this.parts;
    if (entering === true && run.job.stalledCounter === 0 && !early.has(run.attempt.taskId)) return true;
    const started = await entering;
    if (started && run.run.cancelReason === null) {
      const reason = await cancellationOf(this.placeOf(run.job), this.parts);
      if (reason !== null) this.cancel(run.attempt.taskId, reason);
    }
    if (started && run.job.stalledCounter > 0)
      run.attempt.lost = await isLost(run.job, this.placeOf(run.job), this.parts);
    run.attempt.startedAt = this.parts.host.clock.now();
    return started && (!run.run.aborted || run.run.cancelReason !== null);
  }

  private readonly shut = (): void => {
    void this.worker.pause(true).catch(this.parts.trouble);
  };

  private readonly reopen = (): void => {
    if (!this.paused) void detached(() => this.worker.resume()).catch(this.parts.trouble);
  };

  /** Leases have ended before they could be renewed: others may run these by now. */
  private late(taskIds: readonly string[]): void {
    for (const taskId of taskIds) {
      const run = this.runs.get(taskId);
      if (run !== undefined) run.run.lose();
    }
  }

  lost(job: AnyJob): void {
    const run = this.runOf(job);
    if (run === undefined) return;
    run.run.lose();
    this.runs.delete(run.attempt.taskId);
    this.parts.changed();
  }

  cannotHold(error: unknown): boolean {
    return this.parts.server.cannotHold(error);
  }

  trouble(error: Error): void {
    if (isMalformed(error)) void this.repair(error);
    else this.parts.trouble(error);
  }

  /** BullMQ has claimed a job that it cannot read: no worker runs it, and none would ever end it. */
  private async repair(error: Error): Promise<void> {
    const { jobs, trouble } = this.parts;
    try {
      const repaired = await jobs.repair(this.queue, (taskId) => this.runs.has(taskId));
      if (repaired === 0) trouble(error);
      else
        trouble(
          new Error(`A job of the queue '${this.queue}' cannot be read, so it fails: ${error.message}`),
        );
    } catch (cause) {
      trouble(cause as Error);
    }
  }

  cancelling(job: AnyJob): Promise<void> {
    return this.parts.jobs.noteCancelled(this.placeOf(job));
  }

  private settled(job: AnyJob): void {
    const run = this.runOf(job);
    if (run === undefined) return this.unrun(job);
    this.runs.delete(run.attempt.taskId);
    this.parts.stored(run);
    const { kind } = run.outcome ?? {};
    if (kind === 'retry' || kind === 'snoozed' || kind === 'released') this.parts.putBack(run);
    this.parts.changed();
  }

  /** BullMQ itself fails a job that was cancelled while an earlier attempt ran, which has not ended it. */
  private unrun(job: AnyJob): void {
    const reason = reasonIn(job.failedReason);
    if (reason === null) return;
    this.parts.jobs.noteCancelled(this.placeOf(job)).catch(this.parts.trouble);
    const { priority = 0 } = job.opts;
    const now = this.parts.host.clock.now();
    // By now BullMQ has counted it as an attempt.
    const attempt = new BullAttempt(job, this.queue, priority, now, false, job.attemptsMade - 1);
    this.parts.cancelledUnrun(attempt, reason);
  }

  private placeOf({ id }: AnyJob): JobPlace {
    return { queue: this.queue, taskId: id as string };
  }

  /** `undefined` for a run that was put off before it began. */
  private runOf(job: AnyJob): BullRun | undefined {
    const run = this.runs.get(job.id as string);
    return run?.job === job ? run : undefined;
  }
}
