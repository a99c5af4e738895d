// Not the global ones, which a test runner's fake timers replace.
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { ConnectedEngine, DrainReport, EngineEvent, EngineHost } from '../engine/engine.js';
import type { EmbeddedConnection } from '../engine/embedded/embedded-connection.js';
import type { EmbeddedEngine } from '../engine/embedded/embedded-engine.js';
import { isPromise, type MaybePromise } from '../job/async.js';
import { type Accepted, type Attempt, Duplicate, type NewJob } from '../job/job.js';
import { scheduleOf } from '../job/metadata.js';
import type { BackPressure, ResolvedQueue } from '../job/queue.js';
import type { Run } from '../run/run.js';
import { PostedJournals } from './posted-journals.js';
import type { Replays } from './replays.js';
import { type TestClock, turns } from './test-clock.js';

/**
 * How a test runs jobs:
 * - `fake`: they are recorded, and never run;
 * - `inline`: each runs inside its `submit`, once, whatever its delay; `submit` throws the error of its task. That of
 *   an occurrence runs while the clock is moved, and its error is in its result;
 * - `manual`: they wait for `drain()`.
 */
export type TestMode = 'fake' | 'inline' | 'manual';

/** One submitted job. */
export interface Recorded {
  readonly taskId: string;
  job: NewJob;
}

/** While the clock is moved, an attempt that has not ended after this real time counts as waiting for the clock. */
const PATIENCE_MS = 100;

/** The connected engine of a test. It starts jobs only when the test asks for it. */
export class TestConnection implements ConnectedEngine {
  /** The number of submissions that wait for room. */
  private entering = 0;

  readonly journals?: PostedJournals;

  private constructor(
    private readonly engine: EmbeddedConnection,
    private readonly host: TestHost,
    private readonly mode: TestMode,
    private readonly submitted: Recorded[],
    private readonly replays: Replays | undefined,
    clock: TestClock,
    /** Hands on the committed jobs of an outbox. Returns their number. */
    private readonly relay: () => Promise<number>,
  ) {
    const { journals } = engine;
    if (journals !== undefined) this.journals = new PostedJournals(journals, clock);
    if (mode === 'inline') engine.consume();
  }

  static async open(
    embedded: EmbeddedEngine,
    host: EngineHost,
    mode: TestMode,
    clock: TestClock,
    submitted: Recorded[],
    replays: Replays | undefined,
    relay: () => Promise<number>,
  ): Promise<TestConnection> {
    const own = new TestHost(host, mode, replays);
    const engine = await embedded.connect(own);
    const connection = new TestConnection(engine, own, mode, submitted, replays, clock, relay);
    if (mode === 'manual')
      clock.drive(
        () => connection.nextDue(),
        () => connection.drainDue(PATIENCE_MS),
      );
    if (mode === 'inline')
      clock.drive(
        async () => null,
        () => connection.occurrencesEnd(),
      );
    return connection;
  }

  get results() {
    return this.engine.results;
  }

  get control() {
    return this.engine.control;
  }

  get schedules() {
    return this.engine.schedules;
  }

  enqueue(job: NewJob): Promise<Accepted> {
    return this.enqueueMany([job]).then(([accepted]) => accepted as Accepted);
  }

  async enqueueMany(jobs: readonly NewJob[]): Promise<Accepted[]> {
    if (this.mode === 'inline') return this.runInline(jobs);
    const entering = this.engine.enqueueMany(jobs);
    // Without a turn of the event loop in between, a test finds the job at once.
    const accepted = isPromise(entering) ? await this.enter(entering) : entering;
    for (const [index, answer] of accepted.entries()) this.record(answer, jobs[index] as NewJob);
    return accepted;
  }

  pendingCount(): MaybePromise<number> {
    return this.engine.pendingCount();
  }

  /** Jobs start in {@link drainDue}. */
  consume(): void {}

  /**
   * Runs due jobs, the jobs that these submit, and so on, until no job is due and none runs.
   *
   * @param patience How long to wait for an attempt that does not end, in real milliseconds.
   * @throws {DurableTaskError} if replays are compared and differ.
   */
  async drainDue(patience = Infinity): Promise<void> {
    if (this.mode === 'fake') return;
    this.engine.consume();
    do
      do this.engine.startDue();
      while (await this.goesOn(patience));
    while ((await this.relay()) > 0);
    if (this.mode === 'manual') this.engine.pause();
    this.replays?.check();
  }

  /** Waits for the jobs of occurrences, which run inside of no call of the test. */
  private async occurrencesEnd(): Promise<void> {
    // The end of one job may start the next one.
    while (this.engine.runningCount > 0 && (await this.becomesIdle(PATIENCE_MS))) await turns();
  }

  /** Does not wait for attempts, so that a test's application always closes. */
  async drain(): Promise<DrainReport> {
    await this.engine.drain(0, 0);
    return { unfinished: 0, dropped: 0 };
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  /** Each job after the one before it has ended. */
  private async runInline(jobs: readonly NewJob[]): Promise<Accepted[]> {
    const accepted: Accepted[] = [];
    for (const job of jobs) {
      const answer = this.engine.enqueue({ ...job, delay: 0 }) as Accepted;
      accepted.push(answer);
      this.record(answer, job);
      if (answer instanceof Duplicate) continue;
      const end = this.host.endOf(answer);
      this.engine.startDue();
      const run = await end;
      if (run.thrown !== null && scheduleOf(job.metadata)?.manual !== false) throw run.thrown.error;
    }
    return accepted;
  }

  /** A debounced job keeps the priority of its first submission. */
  private record(accepted: Accepted, job: NewJob): void {
    const taskId = accepted instanceof Duplicate ? accepted.taskId : accepted;
    if (taskId === accepted) return void this.submitted.push({ taskId, job });
    if (job.dedupe?.mode !== 'debounce') return;
    const first = this.submitted.find((recorded) => recorded.taskId === taskId);
    if (first === undefined) this.submitted.push({ taskId, job });
    else first.job = { ...job, priority: first.job.priority };
  }

  private async enter(accepted: Promise<Accepted[]>): Promise<Accepted[]> {
    this.entering++;
    try {
      return await accepted;
    } finally {
      this.entering--;
    }
  }

  /** Waits for the next step of {@link drainDue}; `false` if there is none. */
  private async goesOn(patience: number): Promise<boolean> {
    if (this.engine.runningCount > 0) return this.becomesIdle(patience);
    const now = this.host.clock.now();
    // In one turn of the event loop only a limited number of jobs starts.
    if ((await this.engine.dueTimes()).some((due) => due <= now)) return turn().then(() => true);
    const before = this.entering;
    if (before === 0) return false;
    await turn();
    return this.entering < before;
  }

  private async becomesIdle(patience: number): Promise<boolean> {
    const idle = this.engine.untilIdle().then(() => true);
    if (patience === Infinity) return idle;
    let timer: NodeJS.Timeout | undefined;
    const tired = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, patience, false)));
    return Promise.race([idle, tired]).finally(() => clearTimeout(timer));
  }

  /** The next time after now at which a job is due; `null` for none. */
  async nextDue(): Promise<number | null> {
    const now = this.host.clock.now();
    const dues = (await this.engine.dueTimes()).filter((due) => due > now);
    return dues.length === 0 ? null : Math.min(...dues);
  }
}

/** The host with the limits of the mode. */
class TestHost implements EngineHost {
  /** By job, in `inline` mode: the runs, and the waits for their ends. */
  private readonly runs = new Map<string, Run>();
  private readonly ends = new Map<string, (run: Run) => void>();
  readonly queues: readonly ResolvedQueue[];
  readonly backPressure: BackPressure;
  readonly clock;
  readonly retention;
  readonly closing;

  constructor(
    private readonly host: EngineHost,
    private readonly mode: TestMode,
    private readonly replays: Replays | undefined,
  ) {
    const { clock, retention, closing, queues, backPressure } = host;
    this.clock = clock;
    this.retention = retention;
    this.closing = closing;
    // A job inside its `submit` cannot wait for others.
    this.queues = mode === 'inline' ? queues.map(unlimited) : queues;
    this.backPressure = limitFor(mode, backPressure);
  }

  run(attempt: Attempt): Run {
    const run = this.host.run(attempt);
    if (this.mode === 'inline') this.runs.set(run.taskId, run);
    return run;
  }

  notify(event: EngineEvent): void {
    this.host.notify(event);
    if (event.type !== 'settled') return;
    this.replays?.settled(event.attempt, event.outcome);
    const { taskId } = event.attempt;
    const run = this.runs.get(taskId);
    if (run === undefined) return;
    this.runs.delete(taskId);
    this.ends.get(taskId)?.(run);
    this.ends.delete(taskId);
  }

  /** The run of a job that has not started, once its outcome is stored. */
  endOf(taskId: string): Promise<Run> {
    return new Promise((resolve) => this.ends.set(taskId, resolve));
  }
}

function unlimited(queue: ResolvedQueue): ResolvedQueue {
  return {
    ...queue,
    concurrency: Infinity,
    fleetConcurrency: Infinity,
    rateLimit: null,
    fleetRateLimit: null,
  };
}

/** A job inside its `submit` does not wait. If jobs never run, there is never room again, so waiting would never end. */
function limitFor(mode: TestMode, given: BackPressure): BackPressure {
  if (mode === 'inline') return { ...given, maxPending: Infinity };
  return mode === 'fake' ? { ...given, whenFull: 'reject' } : given;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
