import { Logger } from '@nestjs/common';
import { isolated, type MaybePromise, isPromise, whenDone } from '../../job/async.js';
import { ExecutorNotRunningError, ExecutorStoppingError } from '../../job/errors.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { Accepted, Attempt, NewJob } from '../../job/job.js';
import type { DrainReport, Engine, EngineHost } from '../engine.js';
import type { Outcome } from '../../job/outcome.js';
import { Admission } from '../admission.js';
import type { JobControl } from '../control.js';
import type { JobStore } from './job-store.js';
import { Lane } from './queue-runner.js';
import { Quiet } from '../idle.js';
import { type Run, RunningAttempts } from './running-attempts.js';
import { Settlements } from './outcome-writer.js';
import { TimeSlice } from './loop-budget.js';
import { printed } from '../../job/printed.js';

/** How long a trouble that lasts is not reported again. */
const REPORT_AGAIN_MS = 30_000;

/**
 * An engine inside the process, over a small store: it claims due jobs for each queue's free
 * places, runs them through the host and settles what became of them.
 */
export class EmbeddedEngine implements Engine {
  readonly results: ResultBackend;
  readonly control: JobControl;
  private readonly logger = new Logger('Flowrra');
  private readonly running = new RunningAttempts();
  private readonly lanes = new Map<string, Lane>();
  private host!: EngineHost;
  private admission!: Admission;
  private settlements!: Settlements;
  private quiet: Quiet | null = null;
  private consuming = false;
  private accepting = false;
  private reportedAt = -Infinity;

  constructor(
    readonly name: string,
    private readonly store: JobStore,
  ) {
    this.results = store.results;
    this.control = store.control;
  }

  get durable(): boolean {
    return this.store.durable;
  }

  async connect(host: EngineHost): Promise<void> {
    this.host = host;
    const { clock, retention, queues } = host;
    this.admission = new Admission(
      host.backPressure,
      () => this.store.pendingCount(),
      (job) => this.store.hasStandIn(job, clock.now()),
    );
    await this.store.open({
      clock,
      retention,
      queues,
      changed: this.changed,
      lost: (attempt) => this.running.lose(attempt),
      cancelled: (attempt, reason) =>
        this.running.cancel(attempt, reason, host, (run) => void this.overrule(run)),
      ended: (job) => host.cancelled(job),
    });
    this.settlements = new Settlements(this.store, clock, () => this.quiet?.check());
    const slice = new TimeSlice(() => this.lanes.forEach((lane) => lane.pump()));
    for (const queue of queues) {
      this.lanes.set(
        queue.name,
        new Lane(queue, {
          store: this.store,
          clock,
          slice,
          start: this.start,
          refuse: this.refuse,
          failed: this.unreadable,
          idle: () => this.quiet?.check(),
        }),
      );
    }
    this.accepting = true;
  }

  consume(): void {
    this.consuming = true;
    this.store.consume?.();
    for (const lane of this.lanes.values()) lane.resume();
  }

  enqueue(job: NewJob): MaybePromise<Accepted> {
    this.assertAccepting();
    const insert = (): MaybePromise<Accepted> => this.store.insert(job, this.host.clock.now());
    const free = this.admission.unbounded || job.bypassMaxPending === true;
    const accepted = free ? insert() : this.admission.enter([job], insert);
    if (!isPromise(accepted)) {
      this.wake(job.queue);
      return accepted;
    }
    return accepted.then((answer) => {
      this.wake(job.queue);
      return answer;
    });
  }

  enqueueMany(jobs: readonly NewJob[]): MaybePromise<Accepted[]> {
    this.assertAccepting();
    const insert = (): MaybePromise<Accepted[]> => this.store.insertMany(jobs, this.host.clock.now());
    const free = this.admission.unbounded || jobs.every(({ bypassMaxPending }) => bypassMaxPending === true);
    const accepted = free ? insert() : this.admission.enter(jobs, insert);
    return whenDone(accepted, (answers) => {
      for (const queue of new Set(jobs.map((job) => job.queue))) this.wake(queue);
      return answers;
    });
  }

  pendingCount(): MaybePromise<number> {
    return this.store.pendingCount();
  }

  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    // Jobs that nobody would ever run again are run now, as far as they come due in time.
    const runAll = !this.store.durable && this.consuming && graceMs > 0;
    if (!runAll) this.pauseLanes();
    if (graceMs > 0) await this.whenQuiet(graceMs, runAll);
    this.pauseLanes();
    this.consuming = false;
    if (!this.store.durable) this.accepting = false;
    if (this.running.size > 0) {
      const reason = new ExecutorStoppingError(
        'The application is stopping and its deadline for running tasks has come.',
      );
      this.running.abort(reason);
      await this.whenQuiet(killMs, false);
    }
    const unfinished = this.giveBack();
    const lost = 'The application stopped before the job was finished, and its engine keeps nothing.';
    const ended = await this.store.abandon(lost, this.host.clock.now());
    return { unfinished, dropped: Math.max(0, ended - unfinished) };
  }

  async close(): Promise<void> {
    this.accepting = false;
    this.admission?.close();
    this.lanes.clear();
    await this.store.close();
    // What the store has written at the last moment is announced before the end.
    await new Promise((resolve) => setImmediate(resolve));
    this.settlements?.close();
  }

  private readonly start = (attempt: Attempt, lane: Lane): void => {
    if (this.store.begins?.(attempt) === false) return this.unbegun(lane);
    const run = this.running.begin(attempt, lane);
    const outcome = isolated(() =>
      this.admission.unbounded
        ? this.host.execute(attempt, run)
        : this.admission.asTask(() => this.host.execute(attempt, run)),
    );
    if (!this.admission.unbounded) this.admission.left();
    if (isPromise(outcome)) void outcome.then((value) => this.finish(run, value));
    else this.finish(run, outcome);
  };

  private unbegun(lane: Lane): void {
    lane.release();
    this.quiet?.check();
  }

  /** The outcome is known, so the place is free, even if storing the outcome takes a while. */
  private finish(run: Run, outcome: Outcome): void {
    if (!this.running.end(run)) return;
    this.settle(run, outcome);
    run.lane.release();
    this.quiet?.check();
  }

  private settle(run: Run, outcome: Outcome): void {
    this.settlements.settle(run.attempt, outcome, (applied) => this.announce(applied, run, outcome));
  }

  private announce(applied: boolean, run: Run, outcome: Outcome): void {
    if (!applied) return;
    this.host.settled(run.attempt, outcome);
    if (outcome.kind === 'retry' || outcome.kind === 'snoozed' || outcome.kind === 'released')
      run.lane.wake();
  }

  private giveBack(): number {
    const left = this.running.endAll();
    for (const run of left) {
      const { cancelReason: reason } = run;
      this.settle(run, reason === null ? { kind: 'released', delay: 0 } : { kind: 'cancelled', reason });
    }
    return left.length;
  }

  /** Resolves when nothing runs any more, and with `runAll` nothing comes due in time either; or when time is up. */
  private whenQuiet(ms: number, runAll: boolean): Promise<void> {
    const deadline = this.host.clock.now() + ms;
    this.quiet = new Quiet(this.host.clock, ms, async () => {
      if (this.running.size > 0 || this.settlements.size > 0 || this.isWaiting) return false;
      return !runAll || !(await this.somethingDue(deadline));
    });
    return this.quiet.done.finally(() => (this.quiet = null));
  }

  private get isWaiting(): boolean {
    return [...this.lanes.values()].some((lane) => lane.isWaiting);
  }

  private async somethingDue(deadline: number): Promise<boolean> {
    for (const queue of this.lanes.keys()) {
      const due = await this.store.nextDue(queue);
      if (due !== null && due <= deadline) return true;
    }
    return false;
  }

  private pauseLanes(): void {
    for (const lane of this.lanes.values()) lane.pause();
  }

  private wake(queue: string): void {
    this.lanes.get(queue)?.wake();
  }

  private assertAccepting(): void {
    if (this.accepting) return;
    throw new ExecutorNotRunningError(
      'The engine takes no jobs: it is not connected yet, or it has been stopped.',
    );
  }

  private readonly changed = (): void => {
    for (const lane of this.lanes.values()) lane.lookAgain();
    this.admission.left();
  };

  /** It has not ended in time: what becomes of it is decided without it. */
  private async overrule(run: Run): Promise<void> {
    this.finish(run, await this.host.overdue(run.attempt, run));
  }

  private readonly refuse = (attempts: readonly Attempt[]): void => {
    for (const attempt of attempts)
      this.settlements.settle(attempt, { kind: 'released', delay: 0 }, () => undefined);
  };

  /** One line for all queues, and another one if it lasts. */
  private readonly unreadable = (error: unknown): void => {
    const now = this.host.clock.now();
    if (now - this.reportedAt < REPORT_AGAIN_MS) return;
    this.reportedAt = now;
    this.logger.error(
      `Jobs could not be read from the ${this.name} engine; it is tried again: ${printed(error)}`,
    );
  };
}
