import { Logger } from '@nestjs/common';
import { type MaybePromise, isPromise, whenDone } from '../../job/async.js';
import { ExecutorNotRunningError } from '../../job/errors.js';
import type { Accepted, Attempt, NewJob } from '../../job/job.js';
import { type Outcome, waitsAgain } from '../../job/outcome.js';
import { printed } from '../../job/show-value.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { Run } from '../../run/run.js';
import { Runs } from '../../run/runs.js';
import { Admission } from '../admission.js';
import type { JobControl } from '../control.js';
import type { ConnectedEngine, DrainReport, EngineHost } from '../engine.js';
import type { JournalStore } from '../journal-store.js';
import type { ScheduleStore } from '../schedule-store.js';
import { Idle } from '../idle.js';
import type { OpenStore, StoreEvent } from './job-store.js';
import { LoopBudget } from './loop-budget.js';
import { OutcomeWriter } from './outcome-writer.js';
import { QueueRunner } from './queue-runner.js';

/** While the store stays unreadable, it is logged this often. */
const LOG_AGAIN_MS = 30_000;

/**
 * The embedded engine on an open store: it claims due jobs for each queue's free places, runs them, and
 * stores their outcomes.
 */
export class EmbeddedConnection implements ConnectedEngine {
  readonly results: ResultBackend;
  readonly control: JobControl;
  readonly schedules?: ScheduleStore;
  readonly journals?: JournalStore;
  private readonly logger = new Logger('Flowrra');
  private readonly runs = new Runs();
  private readonly runners = new Map<string, QueueRunner>();
  private readonly admission: Admission;
  private readonly outcomes: OutcomeWriter;
  private readonly idle: Idle;
  private consuming = false;
  private accepting = true;
  private loggedAt = -Infinity;
  /** Reasons of cancellations between the claim and the start of an attempt; `null` before the first. */
  private cancelledEarly: WeakMap<Attempt, string> | null = null;

  constructor(
    private readonly name: string,
    private readonly durable: boolean,
    private readonly store: OpenStore,
    private readonly host: EngineHost,
  ) {
    const { clock, queues, backPressure } = host;
    this.results = store.results;
    this.control = store.control;
    if (store.schedules !== undefined) this.schedules = store.schedules;
    if (store.journals !== undefined) this.journals = store.journals;
    this.admission = new Admission(
      backPressure,
      () => store.pendingCount(),
      (job) => store.hasExisting(job, clock.now()),
    );
    this.idle = new Idle(clock, () => this.isIdle);
    this.outcomes = new OutcomeWriter(store, clock, this.idle);
    const budget = new LoopBudget(() => this.startDue());
    const { idle, outcomes, start, failed } = this;
    for (const queue of queues)
      this.runners.set(
        queue.name,
        new QueueRunner(queue, { store, clock, budget, idle, outcomes, start, failed }),
      );
  }

  consume(): void {
    this.consuming = true;
    this.store.consume?.();
    for (const runner of this.runners.values()) runner.resume();
  }

  /** Starts no more jobs, until `consume`; running ones go on. */
  pause(): void {
    this.consuming = false;
    for (const runner of this.runners.values()) runner.pause();
  }

  /** Starts due jobs now, without waiting for the wake-ups of the queues. */
  startDue(): void {
    for (const runner of this.runners.values()) runner.pump();
  }

  get runningCount(): number {
    return this.runs.size;
  }

  /** Resolves when nothing runs and every outcome is stored. */
  untilIdle(): Promise<void> {
    return this.idle.until(Infinity);
  }

  /** When the next job of each queue may start; 0 for now. Queues without a job that comes due are left out. */
  async dueTimes(): Promise<number[]> {
    const dues = await Promise.all([...this.runners.values()].map((runner) => runner.nextDue()));
    return dues.filter((due) => due !== null);
  }

  watch(_job: unknown, changed: () => void): () => void {
    return this.store.watch?.(changed) ?? (() => undefined);
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
    const { clock } = this.host;
    // Waiting jobs that would be lost run now, if they come due in time.
    const runAll = !this.durable && this.consuming && graceMs > 0;
    if (runAll) {
      const deadline = clock.now() + graceMs;
      await this.idle.until(graceMs, async () => (await this.dueTimes()).every((due) => due > deadline));
    }
    this.pause();
    if (!this.durable) this.accepting = false;
    const unfinished = await this.runs.drain(runAll ? 0 : graceMs, killMs, this.idle);
    const reason = 'The application stopped before the job was finished, and its engine keeps nothing.';
    const ended = await this.store.stop(reason, clock.now());
    return { unfinished, dropped: Math.max(0, ended - unfinished) };
  }

  async close(): Promise<void> {
    this.accepting = false;
    this.admission.close();
    this.pause();
    this.runners.clear();
    await this.store.close();
    // Events of the store's last writes are sent before the end.
    await new Promise((resolve) => setImmediate(resolve));
    this.outcomes.close();
  }

  hear(event: Exclude<StoreEvent, { type: 'ended' }>): void {
    switch (event.type) {
      case 'changed':
        for (const runner of this.runners.values()) runner.lookAgain();
        return this.admission.left();
      case 'lost':
        return this.runs.of(event.attempt)?.lose();
      case 'cancelled':
        return this.cancel(event.attempt, event.reason);
    }
  }

  private readonly start = (attempt: Attempt, runner: QueueRunner): void => {
    if (this.store.begins?.(attempt) === false) {
      runner.release();
      return this.idle.check();
    }
    const run = this.host.run(attempt);
    this.runs.add(run);
    const reason = this.cancelledEarly?.get(attempt);
    if (reason !== undefined) run.cancel(reason);
    const ended = (outcome: Outcome): void => this.ended(run, runner, outcome);
    if (this.admission.unbounded) return run.start(ended);
    run.start(ended, this.admission.asTask);
    this.admission.left();
  };

  /** A batch of claimed jobs starts one after the other: the code of the first may cancel the second. */
  private cancel(attempt: Attempt, reason: string): void {
    const run = this.runs.of(attempt);
    if (run === undefined) (this.cancelledEarly ??= new WeakMap()).set(attempt, reason);
    else run.cancel(reason);
  }

  /** The place is free now, even if storing the outcome takes a while. */
  private ended(run: Run, runner: QueueRunner, outcome: Outcome): void {
    this.runs.delete(run);
    this.outcomes.write(run.attempt, outcome, (applied) => {
      if (!applied) return;
      this.host.notify({ type: 'settled', attempt: run.attempt, outcome });
      if (waitsAgain(outcome)) runner.wake();
    });
    runner.release();
    this.idle.check();
  }

  private get isIdle(): boolean {
    if (this.runs.size > 0 || this.outcomes.size > 0) return false;
    for (const runner of this.runners.values()) if (runner.isClaiming) return false;
    return true;
  }

  private wake(queue: string): void {
    this.runners.get(queue)?.wake();
  }

  private assertAccepting(): void {
    if (!this.accepting)
      throw new ExecutorNotRunningError('The engine accepts no jobs: it has been stopped.');
  }

  /** One log line for all queues, and another one if the store stays unreadable. */
  private readonly failed = (error: unknown): void => {
    const now = this.host.clock.now();
    if (now - this.loggedAt < LOG_AGAIN_MS) return;
    this.loggedAt = now;
    this.logger.error(
      `Jobs could not be read from the ${this.name} engine, which is tried again: ${printed(error)}`,
    );
  };
}
