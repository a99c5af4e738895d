import { copyPlain } from '../../job/payload/payload-codec.js';
import type { NextState } from '../../job/outcome.js';
import {
  type JobState,
  type Attempt,
  type AttemptError,
  type Dedupe,
  type Metadata,
  type NewJob,
  type JobRow,
  type JobReport,
  type LogLine,
  MAX_LOG_LINES,
} from '../../job/job.js';
import { waitingStatus, type TaskStatus } from '../../job/job.js';
import type { PolicyOverrides } from '../../job/policy.js';
import type { Waiter } from '../../results/wait-until.js';
import type { MemoryQueue } from './memory-queue.js';

const NO_ERRORS: readonly AttemptError[] = [];

/** What few jobs have. */
interface Extras {
  readonly overrides?: PolicyOverrides | undefined;
  readonly metadata?: Metadata | undefined;
  readonly dedupe?: Dedupe | undefined;
  /** While it is delayed, in milliseconds since the epoch. */
  dueAt?: number | undefined;
  reason?: string;
  progress?: unknown;
  logs?: readonly LogLine[];
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
  private submitted: number;
  private started = -1;
  private ended = -1;
  private extras: Extras | null;
  errors: readonly AttemptError[] = NO_ERRORS;
  /** Each keeps its `resolve` and nothing else: hundreds of thousands may wait. A single one stands here bare. */
  waiters: Waiter | Waiter[] | null = null;
  /** The next job of its priority, or the next finished one. */
  next: JobRecord | null = null;
  /** The arguments; of a job that has succeeded, its result. A lone argument stands here bare, unless it is an array itself. */
  private value: unknown;

  constructor(
    taskId: string,
    job: Pick<NewJob, 'taskName' | 'priority' | 'args' | 'overrides' | 'metadata' | 'dedupe'>,
    /** What the jobs of one queue share. */
    readonly home: MemoryQueue<JobRecord>,
    now: number,
  ) {
    this.taskId = taskId;
    this.taskName = job.taskName;
    this.priority = job.priority;
    this.submitted = since(home.epoch, now);
    this.extras = extrasOf(job);
    this.value = bare(job.args);
  }

  get queue(): string {
    return this.home.queue;
  }

  get overrides(): PolicyOverrides | undefined {
    return this.extras?.overrides;
  }

  get metadata(): Metadata | undefined {
    return this.extras?.metadata;
  }

  get dedupe(): Dedupe | undefined {
    return this.extras?.dedupe;
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

  /** Delayed, and never started. */
  get isUntouched(): boolean {
    return this.dueAt !== undefined && this.started < 0;
  }

  /** `undefined` unless it is delayed. */
  get dueAt(): number | undefined {
    return this.extras?.dueAt;
  }

  delayUntil(dueAt: number | undefined): void {
    (this.extras ??= {}).dueAt = dueAt;
  }

  start(now: number): void {
    this.status = 'running';
    this.started = since(this.home.epoch, now);
  }

  waitAgain(): void {
    this.status = waitingStatus(this.retries);
  }

  args(): unknown[] {
    const args = copyPlain(this.value);
    return Array.isArray(args) ? args : [args];
  }

  apply({ status, retries, errors, result, reason, finishedAt }: NextState): void {
    this.status = status;
    this.retries = retries;
    this.errors = errors;
    if (finishedAt === null) return;
    this.ended = since(this.home.epoch, finishedAt);
    if (status === 'success') this.value = result;
    if (reason !== null) (this.extras ??= {}).reason = reason;
  }

  cancel(reason: string, now: number): void {
    this.status = 'cancelled';
    this.ended = since(this.home.epoch, now);
    (this.extras ??= {}).reason = reason;
  }

  /** Gives it what a later job of the same key brings. */
  replaceBy(job: NewJob): void {
    this.extras = { ...this.extras, overrides: job.overrides, metadata: job.metadata };
    this.value = bare(job.args);
  }

  /** Of its last attempts, only errors and logs stay. */
  startAnew(): void {
    this.retries = 0;
    this.started = -1;
    this.waitAgain();
    if (this.extras !== null) this.extras.progress = undefined;
  }

  report({ progress, lines }: JobReport): void {
    const extras = (this.extras ??= {});
    if (progress !== undefined) extras.progress = progress;
    if (lines.length > 0) extras.logs = [...(extras.logs ?? []), ...lines].slice(-MAX_LOG_LINES);
  }

  /**
   * Another record of the same job, to go on in this one's place. This one is left behind, empty, in
   * a chain from whose middle it could not be taken.
   */
  successor(): JobRecord {
    const { taskId, taskName, priority, home } = this;
    const next = new JobRecord(taskId, { ...NOTHING, taskName, priority }, home, 0);
    next.submitted = this.submitted;
    next.started = this.started;
    next.status = this.status;
    next.retries = this.retries;
    next.errors = this.errors;
    next.waiters = this.waiters;
    next.extras = this.extras === null ? null : { ...this.extras, dueAt: undefined };
    next.value = this.value;
    this.waiters = null;
    this.empty();
    return next;
  }

  /** Lets go of what it holds: nobody asks for it any more, though a chain may still lead to it. */
  empty(): void {
    this.extras = null;
    this.value = undefined;
    this.errors = NO_ERRORS;
  }

  /** A snapshot that shares nothing with the record. */
  state(): JobState {
    return {
      taskId: this.taskId,
      taskName: this.taskName,
      status: this.status,
      result: this.status === 'success' ? copyPlain(this.value) : null,
      errors: this.errors,
      reason: this.extras?.reason ?? null,
      submittedAt: this.submittedAt,
      startedAt: this.started < 0 ? null : this.startedAt,
      finishedAt: this.ended < 0 ? null : this.finishedAt,
      retries: this.retries,
      progress: copyPlain(this.extras?.progress ?? null),
    };
  }

  info(): JobRow {
    const { queue, priority, dueAt = null, metadata } = this;
    const waits = this.status === 'pending' || this.status === 'retrying';
    return {
      ...this.state(),
      queue,
      priority,
      dueAt: waits ? dueAt : null,
      metadata: copyPlain(metadata) as Metadata | undefined,
    };
  }

  /** The arguments of a job that has succeeded are not kept: its result lies in their place. */
  details(): JobRow {
    const args = this.status === 'success' ? null : this.args();
    return { ...this.info(), args, logs: this.extras?.logs ?? [] };
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

const NOTHING = { args: [], overrides: undefined, metadata: undefined, dedupe: undefined };

function extrasOf({
  overrides,
  metadata,
  dedupe,
}: Pick<NewJob, 'overrides' | 'metadata' | 'dedupe'>): Extras | null {
  if (overrides === undefined && metadata === undefined && dedupe === undefined) return null;
  return { overrides, metadata, dedupe };
}

function bare(args: readonly unknown[]): unknown {
  return args.length === 1 && !Array.isArray(args[0]) ? args[0] : args;
}

/** Never negative, even if the system's clock has been set back: that would read as "not yet". */
function since(epoch: number, now: number): number {
  return Math.max(0, now - epoch);
}
