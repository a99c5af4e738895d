import { copyPlain } from '../../core/payload/payload-codec.js';
import type { JobState } from '../../core/task-snapshot.js';
import { MAX_ERRORS } from '../../core/task-snapshot.js';
import type { FinishedTaskResult, TaskStatus } from '../../core/task-result.js';
import type { PolicyOverrides } from '../../options/resolved-options.js';
import type { Attempt, AttemptError, NewJob } from '../engine.interface.js';

const NO_ERRORS: readonly AttemptError[] = [];

/** A waiter keeps its `resolve` and nothing else: hundreds of thousands may wait. */
export type Waiter = (result: FinishedTaskResult | Promise<never>) => void;

/** What the jobs of one queue share. */
export interface JobHome {
  readonly queue: string;
  /** Milliseconds since the Unix epoch: the store's zero. */
  readonly epoch: number;
}

/**
 * One job: what waits, then what runs, then its own result. A single object through its whole
 * life, since every further one would have to survive garbage collection beside it.
 */
export class JobRecord implements Attempt {
  readonly taskId: string;
  readonly taskName: string;
  readonly priority: number;
  status: TaskStatus = 'pending';
  retries = 0;
  /** Times count from the store's epoch: small integers need no memory of their own. -1 until it happens. */
  private readonly submitted: number;
  private started = -1;
  private ended = -1;
  overrides: PolicyOverrides | undefined;
  errors: readonly AttemptError[] = NO_ERRORS;
  /** A single waiter stands here bare. */
  waiters: Waiter | Waiter[] | null = null;
  /** The next job of its priority, or the next finished one. */
  next: JobRecord | null = null;
  /**
   * The arguments until the job is finished, its result (or the reason for its cancellation)
   * afterwards. A lone argument stands here bare, unless it is an array itself.
   */
  private value: unknown;

  constructor(
    taskId: string,
    job: NewJob,
    private readonly home: JobHome,
    now: number,
  ) {
    this.taskId = taskId;
    this.taskName = job.taskName;
    this.priority = job.priority;
    this.submitted = since(home.epoch, now);
    this.overrides = job.overrides;
    const { args } = job;
    this.value = args.length === 1 && !Array.isArray(args[0]) ? args[0] : args;
  }

  get queue(): string {
    return this.home.queue;
  }

  /** Its only worker is this process. */
  get lost(): boolean {
    return false;
  }

  get submittedAt(): number {
    return this.home.epoch + this.submitted;
  }

  get startedAt(): number {
    return this.home.epoch + this.started;
  }

  get finishedAt(): number {
    return this.home.epoch + this.ended;
  }

  get finished(): boolean {
    return this.ended >= 0;
  }

  start(now: number): void {
    this.status = 'running';
    this.started = since(this.home.epoch, now);
  }

  args(): unknown[] {
    const args = copyPlain(this.value);
    return Array.isArray(args) ? args : [args];
  }

  fail(error: AttemptError): void {
    this.errors = [...this.errors.slice(1 - MAX_ERRORS), error];
  }

  finish(status: 'success' | 'failed' | 'cancelled', value: unknown, now: number): void {
    this.status = status;
    this.value = value;
    this.ended = since(this.home.epoch, now);
    this.overrides = undefined;
  }

  /** A snapshot that shares nothing with the record. */
  state(): JobState {
    return {
      taskId: this.taskId,
      taskName: this.taskName,
      status: this.status,
      result: this.status === 'success' ? copyPlain(this.value) : null,
      errors: this.errors,
      reason: this.status === 'cancelled' ? (this.value as string) : null,
      submittedAt: this.submittedAt,
      startedAt: this.started < 0 ? null : this.startedAt,
      finishedAt: this.ended < 0 ? null : this.finishedAt,
      retries: this.retries,
    };
  }

  addWaiter(waiter: Waiter): void {
    if (this.waiters === null) this.waiters = waiter;
    else if (typeof this.waiters === 'function') this.waiters = [this.waiters, waiter];
    else this.waiters.push(waiter);
  }

  removeWaiter(waiter: Waiter): void {
    if (this.waiters === waiter) this.waiters = null;
    else if (Array.isArray(this.waiters)) this.waiters = this.waiters.filter((other) => other !== waiter);
  }

  takeWaiters(): readonly Waiter[] {
    const { waiters } = this;
    this.waiters = null;
    return waiters === null ? [] : typeof waiters === 'function' ? [waiters] : waiters;
  }
}

/** Never negative, even if the system's clock has been set back: that would read as "not yet". */
function since(epoch: number, now: number): number {
  return Math.max(0, now - epoch);
}
