// Not the global ones, which a test runner's fake timers replace.
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { Admission } from '../engine/admission.js';
import type { Run } from '../run/run.js';
import { Runs } from '../run/runs.js';
import { type Accepted, type Attempt, Duplicate, type NewJob } from '../job/job.js';
import { type BackPressure, RateWindow, type ResolvedQueue } from '../job/queue.js';
import type { Capability, ConnectedEngine, DrainReport, Engine, EngineHost } from '../engine/engine.js';
import { type Outcome } from '../job/outcome.js';
import { MemoryStore } from '../engine/memory/memory-store.js';
import type { TestClock } from './test-clock.js';

/**
 * What becomes of jobs in a test:
 * - `fake`: they are recorded, and never run;
 * - `inline`: each runs inside its `submit`, once, whatever its delay; what it throws, `submit` throws;
 * - `manual`: they wait for `drain()`.
 */
export type TestMode = 'fake' | 'inline' | 'manual';

/** One job that was submitted. */
export interface Recorded {
  readonly taskId: string;
  job: NewJob;
}

/** While the clock is moved, how long real work may take before it counts as something that waits for the clock. */
const PATIENCE_MS = 100;
/** What runs once, inside its `submit`, does not come back: 100 years. */
const NEVER_MS = 3_155_760_000_000;

/** The engine of tests: jobs lie in memory, and run when they are told to. */
export class TestEngine implements Engine, ConnectedEngine {
  readonly name = 'memory';
  readonly durable = false;
  readonly supports: ReadonlySet<Capability> = new Set(['fleetLimits', 'results', 'control']);
  readonly submitted: Recorded[] = [];
  private readonly store = new MemoryStore();
  readonly results = this.store.results;
  readonly control = this.store.control;
  private readonly runs = new Runs();
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly rates = new Map<string, RateWindow>();
  private host!: EngineHost;
  private admission!: Admission;
  /** Submissions that wait for room, or are on their way into the store. */
  private entering = 0;

  constructor(
    readonly mode: TestMode,
    private readonly clock: TestClock,
  ) {}

  connect(host: EngineHost): this {
    this.host = host;
    const { clock, retention, queues, backPressure } = host;
    this.admission = new Admission(
      this.bound(backPressure),
      () => this.store.pendingCount(),
      (job) => this.store.hasExisting(job, clock.now()),
    );
    for (const { name, rateLimit } of queues)
      if (rateLimit !== null) this.rates.set(name, new RateWindow(rateLimit));
    this.store.open({
      clock,
      retention,
      queues: this.mode === 'inline' ? queues.map(unlimited) : queues,
      notify: (event) => {
        if (event.type === 'cancelled') this.runs.of(event.attempt)?.cancel(event.reason);
      },
    });
    if (this.mode === 'manual')
      this.clock.drive(
        () => this.nextDue(),
        () => this.drainDue(PATIENCE_MS),
      );
    return this;
  }

  /** Nothing runs by itself. */
  consume(): void {}

  enqueue(job: NewJob): Promise<Accepted> {
    return this.admit([job], () => this.add(job));
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<Accepted[]> {
    return this.admit(jobs, async () => {
      const accepted: Accepted[] = [];
      for (const job of jobs) accepted.push(await this.add(job));
      return accepted;
    });
  }

  /**
   * Inside its `submit` a job takes no room from others. Where nothing runs there is never room again,
   * so that waiting for it would never end.
   */
  private bound(given: BackPressure): BackPressure {
    if (this.mode === 'inline') return { ...given, maxPending: Infinity };
    return this.mode === 'fake' ? { ...given, whenFull: 'reject' } : given;
  }

  private async admit<R>(jobs: readonly NewJob[], insert: () => Promise<R>): Promise<R> {
    if (this.admission.unbounded || jobs.every(({ bypassMaxPending }) => bypassMaxPending === true))
      return insert();
    this.entering++;
    try {
      return await this.admission.enter(jobs, insert);
    } finally {
      this.entering--;
    }
  }

  private async add(job: NewJob): Promise<Accepted> {
    const now = this.host.clock.now();
    const accepted = this.store.insert(this.mode === 'inline' ? { ...job, delay: 0 } : job, now);
    if (accepted instanceof Duplicate) {
      if (job.dedupe?.mode === 'debounce') this.recordAgain(accepted.taskId, job);
      return accepted;
    }
    this.submitted.push({ taskId: accepted, job });
    if (this.mode !== 'inline') return accepted;
    let thrown: Run['thrown'] = null;
    for (const attempt of this.store.claim(job.queue, Infinity, now)) {
      const run = await this.run(attempt);
      if (attempt.taskId === accepted) ({ thrown } = run);
    }
    if (thrown !== null) throw thrown.error;
    return accepted;
  }

  pendingCount(): number {
    return this.store.pendingCount();
  }

  /**
   * Runs what is due, what that submits, and so on, until nothing is due and nothing runs.
   *
   * @param patience How long to wait, in real milliseconds, for what runs and does not end.
   */
  async drainDue(patience = Infinity): Promise<void> {
    if (this.mode === 'fake') return;
    for (;;) {
      this.startDue();
      if (this.underWay.size > 0 ? !(await this.oneEnds(patience)) : !(await this.someEntered())) return;
    }
  }

  /** Nothing is waited for, so that a test's application always closes. */
  async drain(): Promise<DrainReport> {
    for (const run of this.runs) this.runs.delete(run);
    this.store.stop('The test has ended.', this.host.clock.now());
    return { unfinished: 0, dropped: 0 };
  }

  close(): void {
    this.admission.close();
    this.store.close();
  }

  /** A debounced job has what the last call gave it, and the priority of the first. */
  private recordAgain(taskId: string, job: NewJob): void {
    const first = this.submitted.find((recorded) => recorded.taskId === taskId);
    if (first === undefined) this.submitted.push({ taskId, job });
    else first.job = { ...job, priority: first.job.priority };
  }

  private startDue(): void {
    const now = this.host.clock.now();
    for (const { name, concurrency } of this.host.queues) {
      const free = concurrency - [...this.runs].filter(({ attempt }) => attempt.queue === name).length;
      const rate = this.rates.get(name);
      const claimed = this.store.claim(name, Math.min(free, rate?.left(now) ?? Infinity), now);
      rate?.take(claimed.length, now);
      for (const attempt of claimed) {
        const ended = this.run(attempt).finally(() => this.underWay.delete(ended));
        this.underWay.add(ended);
      }
    }
  }

  /** Gives submissions that have room now the time to come in; says whether some did. */
  private async someEntered(): Promise<boolean> {
    const before = this.entering;
    if (before === 0) return false;
    await new Promise((resolve) => setImmediate(resolve));
    return this.entering < before;
  }

  private async oneEnds(patience: number): Promise<boolean> {
    const ended = Promise.race(this.underWay).then(() => true);
    if (patience === Infinity) return ended;
    let timer: NodeJS.Timeout | undefined;
    const tired = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, patience, false)));
    return Promise.race([ended, tired]).finally(() => clearTimeout(timer));
  }

  private run(attempt: Attempt): Promise<Run> {
    return new Promise((resolve) => {
      const run = this.host.run(attempt);
      this.runs.add(run);
      run.start((outcome) => {
        if (this.runs.has(run)) this.settle(attempt, outcome);
        this.runs.delete(run);
        resolve(run);
      }, this.admission.asTask);
      this.admission.left();
    });
  }

  private settle(attempt: Attempt, outcome: Outcome): void {
    const kept = this.mode === 'inline' && 'delay' in outcome ? { ...outcome, delay: NEVER_MS } : outcome;
    if (this.store.settle(attempt, kept, this.host.clock.now()))
      this.host.notify({ type: 'settled', attempt, outcome });
  }

  private nextDue(): number | null {
    const now = this.host.clock.now();
    const dues = this.host.queues.map(({ name }) => this.nextDueIn(name)).filter((due) => due > now);
    return dues.length === 0 ? null : Math.min(...dues);
  }

  /** `-Infinity` if nothing comes due by itself. */
  private nextDueIn(queue: string): number {
    const due = this.store.nextDue(queue) ?? -Infinity;
    const rate = this.rates.get(queue);
    if (due === -Infinity || rate === undefined || rate.left(this.host.clock.now()) > 0) return due;
    return Math.max(due, rate.endsAt);
  }
}

/** What runs inside of `submit` cannot wait for others. */
function unlimited(queue: ResolvedQueue): ResolvedQueue {
  return { ...queue, fleetConcurrency: Infinity, fleetRateLimit: null };
}
