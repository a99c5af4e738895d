import { Logger } from '@nestjs/common';
import { ExecutorNotRunningError } from 'flowrra';
import {
  type Accepted,
  Admission,
  type Attempt,
  type Capability,
  type ConnectedEngine,
  detached,
  type DrainReport,
  type Engine,
  type EngineHost,
  Idle,
  type MaybePromise,
  type NewJob,
  type Outcome,
  Runs,
} from 'flowrra/engine';
import { DirectoryControl } from './directory-control.js';
import { DirectoryJobs } from './directory-jobs.js';
import { DirectoryResults } from './directory-results.js';
import { QueueLoop } from './queue-loop.js';

/** Keeps each job in a JSON file of one directory, which one process uses at a time. */
export class DirectoryEngine implements Engine {
  readonly name = 'directory';
  readonly durable = true;
  readonly supports: ReadonlySet<Capability> = new Set(['results', 'control']);

  constructor(private readonly path: string) {}

  /** @throws {EngineError} if another process uses the directory, or it cannot be read. */
  connect(host: EngineHost): ConnectedEngine {
    return new ConnectedDirectory(this.path, host);
  }
}

const RETRY_MS = 1_000;

class ConnectedDirectory implements ConnectedEngine {
  readonly results: DirectoryResults;
  readonly control: DirectoryControl;
  private readonly logger = new Logger('DirectoryEngine');
  private readonly jobs: DirectoryJobs;
  private readonly loops: ReadonlyMap<string, QueueLoop>;
  private readonly admission: Admission;
  private readonly runs = new Runs();
  private readonly idle: Idle;
  /** Outcomes that could not be stored: the functions that cancel the next try. */
  private readonly unstored = new Set<() => void>();
  private accepting = true;

  constructor(
    path: string,
    private readonly host: EngineHost,
  ) {
    const { clock, queues, backPressure } = host;
    this.jobs = new DirectoryJobs(path, host, (taskId) => this.results.ended(taskId));
    this.results = new DirectoryResults(this.jobs, clock);
    this.control = new DirectoryControl({
      jobs: this.jobs,
      cancelRun: (attempt, reason) => this.runs.of(attempt)?.cancel(reason),
      left: () => this.admission.left(),
      wake: (queue) => this.loops.get(queue)?.wake(),
    });
    this.admission = new Admission(
      backPressure,
      () => this.jobs.pendingCount,
      (job) => this.jobs.hasExisting(job),
    );
    this.idle = new Idle(clock, () => this.runs.size === 0 && this.unstored.size === 0);
    const parts = {
      clock,
      claim: (queue: string) => this.jobs.claim(queue),
      nextDue: (queue: string) => this.jobs.nextDue(queue),
      start: (attempt: Attempt, loop: QueueLoop) => this.start(attempt, loop),
      failed: (error: unknown) => this.logger.error(error),
    };
    this.loops = new Map(queues.map((queue) => [queue.name, new QueueLoop(queue, parts)]));
  }

  // #region enqueue
  enqueue(job: NewJob): MaybePromise<Accepted> {
    return this.admitted([job], () => {
      const accepted = this.jobs.insert(job);
      this.loops.get(job.queue)?.wake();
      return accepted;
    });
  }

  enqueueMany(jobs: readonly NewJob[]): MaybePromise<Accepted[]> {
    return this.admitted(jobs, () => {
      const accepted = this.jobs.insertMany(jobs);
      for (const { queue } of jobs) this.loops.get(queue)?.wake();
      return accepted;
    });
  }

  private admitted<R>(jobs: readonly NewJob[], insert: () => R): MaybePromise<R> {
    if (!this.accepting) throw new ExecutorNotRunningError('The directory is closed.');
    const free = this.admission.unbounded || jobs.every(({ bypassMaxPending }) => bypassMaxPending === true);
    return free ? insert() : this.admission.enter(jobs, insert);
  }
  // #endregion

  pendingCount(): number {
    return this.jobs.pendingCount;
  }

  consume(): void {
    for (const loop of this.loops.values()) loop.open();
  }

  // #region drain
  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    for (const loop of this.loops.values()) loop.close();
    const unfinished = await this.runs.drain(graceMs, killMs, this.idle);
    return { unfinished, dropped: 0 };
  }

  close(): void {
    this.accepting = false;
    for (const cancel of this.unstored) cancel();
    this.admission.close();
    this.results.close();
    this.jobs.close();
  }
  // #endregion

  // #region start
  private start(attempt: Attempt, loop: QueueLoop): void {
    const run = this.host.run(attempt);
    const { admission, runs } = this;
    const ended = (outcome: Outcome): void => {
      runs.delete(run);
      this.store(attempt, outcome);
      loop.release();
      this.idle.check();
    };
    runs.add(run);
    run.start(ended, admission.unbounded ? undefined : admission.asTask);
    admission.left();
  }

  /** Tries until the outcome is stored: otherwise the job would stay `running`. */
  private store(attempt: Attempt, outcome: Outcome): void {
    try {
      if (!this.jobs.settle(attempt, outcome)) return;
    } catch (error) {
      this.logger.error(error);
      return this.storeLater(attempt, outcome);
    }
    this.host.notify({ type: 'settled', attempt, outcome });
    this.loops.get(attempt.queue)?.wake();
  }
  // #endregion

  private storeLater(attempt: Attempt, outcome: Outcome): void {
    const cancel = detached(() =>
      this.host.clock.after(RETRY_MS, () => {
        this.unstored.delete(cancel);
        this.store(attempt, outcome);
        this.idle.check();
      }),
    );
    this.unstored.add(cancel);
  }
}
