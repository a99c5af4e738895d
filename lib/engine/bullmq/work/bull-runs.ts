import type { Clock } from '../../../job/clock.js';
import type { Attempt } from '../../../job/job.js';
import type { Outcome } from '../../../job/outcome.js';
import { payloadToJson } from '../../../job/payload/payload-text.js';
import type { Run } from '../../../run/run.js';
import { Runs } from '../../../run/runs.js';
import { Idle } from '../../idle.js';
import type { AnyJob } from '../server/bull-server.js';
import { letRetry } from '../server/bullmq-internals.js';
import type { BullAttempt } from './bull-attempt.js';
import { NoSuccess, OutcomeWrite, type OutcomeWriteParts } from './outcome-write.js';

/** A store that takes longer has failed, for whatever reason. */
const MAX_STORING_MS = 2_000;

/** A run, from the claim of its job until BullMQ has stored the outcome. */
export class BullRun {
  /** Milliseconds until the next attempt, for BullMQ's `backoffStrategy`. */
  retryDelay = 0;
  /** Resolves when all reports so far are stored: they are stored in order. */
  reported: Promise<void> = Promise.resolve();
  private readonly write: OutcomeWrite;
  private storingSince = 0;

  constructor(
    readonly job: AnyJob,
    readonly run: Run,
    readonly attempt: BullAttempt,
    parts: OutcomeWriteParts,
  ) {
    this.write = new OutcomeWrite(job, attempt, parts);
  }

  /** The outcome to be stored; `null` while the attempt runs. */
  get outcome(): Outcome | null {
    return this.write.outcome;
  }

  /** Whether BullMQ stores the outcome now. The server's event of the end may arrive before that is complete. */
  get isStoring(): boolean {
    return this.outcome !== null && performance.now() - this.storingSince < MAX_STORING_MS;
  }

  /** @param within Calls the task's code. */
  start(within: (<R>(code: () => R) => R) | undefined): Promise<Outcome> {
    return new Promise((ended) => this.run.start(ended, within));
  }

  /**
   * Ends BullMQ's processor: returns the result of a success. For every other outcome it throws, and
   * {@link OutcomeWrite} stores the outcome when BullMQ stores the failure.
   */
  settle(ended: Outcome): unknown {
    // If the lease has not ended after all, the attempt must not count.
    const outcome: Outcome = this.run.isLost ? { kind: 'released', delay: 0 } : ended;
    this.write.outcome = outcome;
    this.storingSince = performance.now();
    if (outcome.kind === 'success') return payloadToJson(outcome.result);
    if (outcome.kind === 'retry') {
      letRetry(this.job);
      this.retryDelay = outcome.delay;
    }
    throw new NoSuccess();
  }
}

/** This process's runs, by queue and job: a job runs here once at a time. */
export class BullRuns {
  /** The runs that have no outcome yet. */
  readonly live = new Runs();
  /** Idle if nothing runs, and all outcomes are stored. */
  readonly idle: Idle;
  private readonly byQueue: ReadonlyMap<string, Map<string, BullRun>>;
  /** Jobs that were cancelled here, that the server had handed out, and that do not run here yet. */
  private early = new Set<string>();
  private earlyBefore = new Set<string>();

  constructor(queues: readonly string[], clock: Clock) {
    this.byQueue = new Map(queues.map((name) => [name, new Map()]));
    this.idle = new Idle(clock, () => this.size === 0);
  }

  get size(): number {
    let size = 0;
    for (const runs of this.byQueue.values()) size += runs.size;
    return size;
  }

  *[Symbol.iterator](): Generator<BullRun> {
    for (const runs of this.byQueue.values()) yield* runs.values();
  }

  add(run: BullRun): void {
    this.runsOf(run.attempt.queue).set(run.attempt.taskId, run);
    this.live.add(run.run);
  }

  /** The outcome of a run is known. */
  ended(run: BullRun): void {
    this.live.delete(run.run);
  }

  /** The outcome of a run is stored, or does not count. */
  delete(run: BullRun): void {
    this.live.delete(run.run);
    this.runsOf(run.attempt.queue).delete(run.attempt.taskId);
    this.idle.check();
  }

  at(queue: string, taskId: string): BullRun | undefined {
    return this.runsOf(queue).get(taskId);
  }

  /** The run of that very attempt; `undefined` if it is over. */
  of(attempt: Attempt): BullRun | undefined {
    const run = this.at(attempt.queue, attempt.taskId);
    return run?.attempt === attempt ? run : undefined;
  }

  /** Whether BullMQ stores the end of that job now, and this process is about to report it. */
  isStoring(taskId: string): boolean {
    for (const runs of this.byQueue.values()) if (runs.get(taskId)?.isStoring) return true;
    return false;
  }

  /** Cancels the runs of a job. If there is none, the job may be on its way to this process. */
  cancel(taskId: string, reason: string): void {
    let runsHere = false;
    for (const runs of this.byQueue.values()) {
      const run = runs.get(taskId);
      run?.run.cancel(reason);
      runsHere ||= run !== undefined;
    }
    if (!runsHere) this.early.add(taskId);
  }

  /** Whether that job may have been cancelled before it arrived here. */
  mayBeCancelled(taskId: string): boolean {
    return this.early.has(taskId) || this.earlyBefore.has(taskId);
  }

  /** Forgets early cancellations of the round before: a later arrival is found by the `CancelWatch`. */
  nextRound(): void {
    if (this.early.size + this.earlyBefore.size === 0) return;
    this.earlyBefore = this.early;
    this.early = new Set();
  }

  private runsOf(queue: string): Map<string, BullRun> {
    return this.byQueue.get(queue) as Map<string, BullRun>;
  }
}
