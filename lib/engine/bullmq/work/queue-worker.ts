import { detached } from '../../../job/async.js';
import type { Outcome } from '../../../job/outcome.js';
import type { ResolvedQueue } from '../../../job/queue.js';
import type { Run } from '../../../run/run.js';
import type { Admission } from '../../admission.js';
import type { BullMqParts } from '../bullmq-parts.js';
import { cancelReasonIn, type KeepRule, keepRuleOf } from '../job-mapping.js';
import { isMalformed } from '../malformed-job.js';
import type { AnyJob, AnyWorker, JobPlace } from '../server/bull-server.js';
import { isLeaseError, UNLIMITED } from '../server/bullmq-internals.js';
import { countResultsRarely, replaceInvalidRules, StartChecks } from './before-start.js';
import { BullAttempt } from './bull-attempt.js';
import { BullRun } from './bull-runs.js';
import type { OutcomeWriteParts } from './outcome-write.js';
import { RateGate } from './rate-gate.js';

/** How soon a worker repeats a failed call. With BullMQ's default of 15 s, a lease could end meanwhile. */
const RETRY_MS = 500;

/** How long a job is delayed that still runs here. */
const WHILE_RUNNING_MS = 1_000;

const RELEASED: Outcome = { kind: 'released', delay: 0 };

export interface WorkParts extends BullMqParts {
  readonly admission: Admission;
  /** Called when an outcome is stored. */
  readonly settled: (attempt: BullAttempt, outcome: Outcome) => void;
}

/** The BullMQ worker of one queue. */
export class QueueWorker {
  private readonly worker: AnyWorker;
  private readonly keep: KeepRule;
  private readonly gate: RateGate | null;
  private readonly queue: string;
  private readonly checks: StartChecks;
  private readonly writeParts: OutcomeWriteParts;
  private paused = false;

  constructor(
    { name, concurrency, rateLimit, fleetRateLimit }: ResolvedQueue,
    private readonly parts: WorkParts,
  ) {
    const { server, options, host, jobs, outages } = parts;
    this.queue = name;
    this.gate =
      rateLimit === null ? null : new RateGate(rateLimit, host.clock, this.stopClaims, this.resumeClaims);
    this.keep = keepRuleOf(host.retention);
    this.checks = new StartChecks(jobs, outages, options);
    this.writeParts = { server, jobs, outages, now: host.clock.now, lost: this.lost };
    this.worker = server.worker(name, this.process, {
      lockDuration: options.lease,
      stalledInterval: options.lease,
      // A run fails a job whose workers die too often, so that events and backends report it.
      maxStalledCount: UNLIMITED,
      runRetryDelay: RETRY_MS,
      // For jobs that another program has added without such rules.
      removeOnComplete: this.keep,
      removeOnFail: this.keep,
      ...(fleetRateLimit && { limiter: { max: fleetRateLimit.max, duration: fleetRateLimit.per } }),
      ...options.workerOptions,
      name: parts.worker,
      concurrency,
      autorun: false,
      settings: {
        backoffStrategy: (_made, _type, _error, job) => parts.runs.at(name, job?.id ?? '')?.retryDelay ?? 0,
      },
    });
    this.worker.on('error', this.failed);
    this.worker.on('completed', (job) => this.stored(job));
    this.worker.on('failed', (job) => job && this.stored(job));
    this.worker.on('lockRenewalFailed', (taskIds) => {
      for (const taskId of taskIds) parts.runs.at(name, taskId)?.run.lose();
    });
  }

  /** Rejects if the server is unreachable. */
  async ready(): Promise<void> {
    await this.worker.waitUntilReady();
  }

  start(): void {
    void detached(() => this.worker.run()).catch(this.parts.outages.report);
  }

  /** Claims no more jobs; running attempts go on. */
  async pause(): Promise<void> {
    this.paused = true;
    this.gate?.close();
    await this.worker.pause(true);
  }

  /**
   * Resolves when no attempt runs any more.
   *
   * @param force Whether to close without the server.
   */
  close(force: boolean): Promise<void> {
    return this.worker.close(force);
  }

  private readonly process = async (job: AnyJob): Promise<unknown> => {
    const { host, server, runs, admission } = this.parts;
    const { priority = 0 } = job.opts;
    const attempt = new BullAttempt(job, this.queue, priority, host.clock.now(), false);
    const run = new BullRun(job, host.run(attempt), attempt, this.writeParts);
    // The worker had requested the job before it was paused.
    if (this.paused) return run.settle(RELEASED);
    // The lease ended during a run here. BullMQ would confuse the leases of two runs of one job.
    if (runs.at(this.queue, attempt.taskId) !== undefined)
      return run.settle({ kind: 'released', delay: WHILE_RUNNING_MS });
    replaceInvalidRules(job.opts, this.keep);
    if (server.countsSlowly) countResultsRarely(job.opts, this.keep);
    runs.add(run);
    admission.left();
    if (!Number.isInteger(job.attemptsMade)) await this.checks.repairCounter(job, attempt);
    const isFirst = job.attemptsStarted <= 1 && job.stalledCounter === 0;
    const needsChecks = this.gate !== null || !isFirst || runs.mayBeCancelled(attempt.taskId);
    if (needsChecks && !(await this.mayStart(run))) {
      runs.delete(run);
      return run.settle(RELEASED);
    }
    const outcome = await run.start(admission.unbounded ? undefined : admission.asTask);
    runs.ended(run);
    return run.settle(outcome);
  };

  /** BullMQ ends no job with a journal by a cancellation: its run does, after it has undone its steps. */
  private async resume(run: Run, attempt: BullAttempt): Promise<void> {
    const { isResumed, cancelText } = await this.checks.resumption(attempt);
    attempt.isResumed = attempt.isJournalled = isResumed;
    const reason = cancelReasonIn(cancelText);
    if (reason !== null) run.cancel(reason);
  }

  private async mayStart({ run, job, attempt }: BullRun): Promise<boolean> {
    const { runs, host } = this.parts;
    const isFirst = job.attemptsStarted <= 1;
    const entering = this.gate?.enter((leave) => run.onAbort(leave)) ?? true;
    const mayBeCancelled = (): boolean =>
      entering !== true || job.stalledCounter > 0 || runs.mayBeCancelled(attempt.taskId);
    if (isFirst && !mayBeCancelled()) return true;
    if (!(await entering)) return false;
    if (!isFirst) await this.resume(run, attempt);
    if (run.cancelReason === null && mayBeCancelled()) {
      const reason = await this.checks.cancellationOf(attempt);
      if (reason !== null) run.cancel(reason);
    }
    if (job.stalledCounter > 0) attempt.lost = await this.checks.isLost(job, attempt);
    attempt.startedAt = host.clock.now();
    return !run.aborted || run.cancelReason !== null;
  }

  private readonly stopClaims = (): void => {
    void this.worker.pause(true).catch(this.parts.outages.report);
  };

  private readonly resumeClaims = (): void => {
    if (!this.paused) void detached(() => this.worker.resume()).catch(this.parts.outages.report);
  };

  /** Another worker holds the lease of the job. */
  private readonly lost = (job: AnyJob): void => {
    const run = this.runOf(job);
    if (run === undefined) return;
    run.run.lose();
    this.parts.runs.delete(run);
  };

  private readonly failed = (error: Error): void => {
    // The run logs the end of its lease.
    if (isLeaseError(error)) return;
    if (isMalformed(error)) void this.repair(error);
    else this.parts.outages.report(error);
  };

  /** BullMQ has claimed a job that it cannot read, which no worker would ever end. */
  private async repair(error: Error): Promise<void> {
    const { jobs, outages, runs } = this.parts;
    try {
      const repaired = await jobs.repair(this.queue, (taskId) => runs.at(this.queue, taskId) !== undefined);
      const text = `A job of the queue '${this.queue}' cannot be read, so it fails: ${error.message}`;
      outages.report(repaired === 0 ? error : new Error(text));
    } catch (cause) {
      outages.report(cause);
    }
  }

  /** BullMQ has stored the outcome of a job. */
  private stored(job: AnyJob): void {
    const run = this.runOf(job);
    if (run === undefined) return this.cancelledByBullMq(job);
    this.parts.runs.delete(run);
    if (run.outcome !== null) this.parts.settled(run.attempt, run.outcome);
  }

  /** BullMQ itself fails a job with a deferred failure: it was cancelled during an attempt that did not end the job. */
  private cancelledByBullMq(job: AnyJob): void {
    const { jobs, outages, host, settled } = this.parts;
    const reason = cancelReasonIn(job.failedReason);
    if (reason === null) return;
    const place: JobPlace = { queue: this.queue, taskId: job.id as string };
    jobs.noteCancelled(place).catch(outages.report);
    const { priority = 0 } = job.opts;
    // BullMQ has counted an attempt that was not made.
    const retries = job.attemptsMade - 1;
    const attempt = new BullAttempt(job, this.queue, priority, host.clock.now(), false, retries);
    settled(attempt, { kind: 'cancelled', reason });
  }

  /** `undefined` for a run that was released before its start. */
  private runOf(job: AnyJob): BullRun | undefined {
    const run = this.parts.runs.at(this.queue, job.id as string);
    return run?.job === job ? run : undefined;
  }
}
