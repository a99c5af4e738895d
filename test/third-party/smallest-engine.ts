import { randomUUID } from 'node:crypto';
import { ExecutorNotRunningError, FlowrraConfigError } from 'flowrra';
import {
  type Accepted,
  type Attempt,
  type Capability,
  type ConnectedEngine,
  copyPlain,
  detached,
  type DrainReport,
  Duplicate,
  type Engine,
  type EngineHost,
  Idle,
  type NewJob,
  nextState,
  type Outcome,
  type Run,
  Runs,
} from 'flowrra/engine';

/** Keeps jobs in an array, and runs one at a time, in the order of their submission. */
export class SmallestEngine implements Engine {
  readonly name = 'smallest';
  readonly durable = false;
  readonly supports: ReadonlySet<Capability> = new Set();

  connect(host: EngineHost): ConnectedEngine {
    if (host.backPressure.maxPending !== Infinity)
      throw new FlowrraConfigError(`The engine 'smallest' does not support maxPending. Remove the option.`);
    return new Connected(host);
  }
}

type WaitingJob = Omit<Attempt, 'startedAt'>;

class Connected implements ConnectedEngine {
  private readonly waiting: WaitingJob[] = [];
  /** Of unfinished jobs. */
  private readonly ids = new Set<string>();
  private readonly timers = new Set<() => void>();
  private readonly runs = new Runs();
  private readonly idle: Idle;
  private consuming = false;
  private accepting = true;

  constructor(private readonly host: EngineHost) {
    this.idle = new Idle(host.clock, () => this.runs.size === 0);
  }

  enqueue(job: NewJob): Accepted {
    if (!this.accepting) throw new ExecutorNotRunningError('The engine has been stopped.');
    if (job.dedupe !== undefined)
      throw new FlowrraConfigError(`The engine 'smallest' does not support dedupe. Remove the option.`);
    const taskId = job.taskId ?? randomUUID();
    if (this.ids.has(taskId)) return new Duplicate(taskId);
    this.ids.add(taskId);
    const submittedAt = this.host.clock.now();
    const args = (): unknown[] => copyPlain(job.args) as unknown[];
    this.wait({ ...job, taskId, submittedAt, args, retries: 0, errors: [], lost: false }, job.delay);
    return taskId;
  }

  enqueueMany(jobs: readonly NewJob[]): Accepted[] {
    return jobs.map((job) => this.enqueue(job));
  }

  pendingCount(): number {
    return this.waiting.length + this.timers.size;
  }

  consume(): void {
    this.consuming = true;
    this.wake();
  }

  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    // The jobs are lost with the process, so those that are due run now.
    if (this.consuming && graceMs > 0) await this.idle.until(graceMs, () => this.waiting.length === 0);
    this.consuming = false;
    this.accepting = false;
    const dropped = this.pendingCount();
    const unfinished = await this.runs.drain(0, killMs, this.idle);
    return { unfinished, dropped };
  }

  close(): void {
    for (const cancel of this.timers) cancel();
    this.timers.clear();
  }

  private wait(job: WaitingJob, delay: number, first = false): void {
    if (delay > 0) {
      const cancel = detached(() =>
        this.host.clock.after(delay, () => {
          this.timers.delete(cancel);
          this.wait(job, 0);
        }),
      );
      this.timers.add(cancel);
    } else {
      if (first) this.waiting.unshift(job);
      else this.waiting.push(job);
      this.wake();
    }
  }

  /** The job starts in a microtask: never inside `submit`, nor inside the end of another job. */
  private wake(): void {
    detached(() => queueMicrotask(() => this.startNext()));
  }

  private startNext(): void {
    if (!this.consuming || this.runs.size > 0) return;
    const job = this.waiting.shift();
    if (job === undefined) return this.idle.check();
    const run = this.host.run({ ...job, startedAt: this.host.clock.now() });
    this.runs.add(run);
    run.start((outcome) => this.ended(run, outcome));
  }

  private ended(run: Run, outcome: Outcome): void {
    const { attempt } = run;
    this.runs.delete(run);
    const next = nextState(attempt, outcome, this.host.clock.now());
    if (next.finishedAt === null)
      this.wait({ ...attempt, retries: next.retries, errors: next.errors }, next.delay, next.first);
    else this.ids.delete(attempt.taskId);
    this.host.notify({ type: 'settled', attempt, outcome });
    this.idle.check();
    this.wake();
  }
}
