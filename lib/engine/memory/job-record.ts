import { copyPlain } from '../../job/payload/payload-codec.js';
import { cancelEntry } from '../../job/journal/journal.js';
import type { NextState } from '../../job/outcome.js';
import type { MemoryJournal } from './memory-journal.js';
import {
  type Attempt,
  type AttemptError,
  type Dedupe,
  type JobReport,
  type JobRow,
  type JobState,
  type LogLine,
  MAX_LOG_LINES,
  type Metadata,
  type NewJob,
  type TaskStatus,
  waitingStatus,
} from '../../job/job.js';
import type { PolicyOverrides } from '../../job/policy.js';
import type { WaiterList } from './waiter-list.js';
import type { MemoryQueue } from './memory-queue.js';

const NO_ERRORS: readonly AttemptError[] = [];

/** The fields that few jobs have. */
interface Extras {
  readonly overrides?: PolicyOverrides | undefined;
  readonly metadata?: Metadata | undefined;
  readonly dedupe?: Dedupe | undefined;
  readonly tags?: readonly string[] | undefined;
  /** The position among all jobs with tags. */
  tagOrder?: number;
  /** In milliseconds since the epoch, while the job is delayed. */
  dueAt?: number | undefined;
  reason?: string;
  progress?: unknown;
  journal?: MemoryJournal;
  /** Why the running job is being cancelled. */
  cancelling?: string;
  logs?: readonly LogLine[];
}

/**
 * One job: it waits, is the attempt that runs, and then is its own result. It is one object for its whole life,
 * since each further object would cost memory and time in the garbage collection.
 */
export class JobRecord implements Attempt {
  readonly taskId: string;
  readonly taskName: string;
  readonly priority: number;
  status: TaskStatus = 'pending';
  retries = 0;
  /** Milliseconds since the store's epoch: small integers are stored without an object. -1 means not yet. */
  private submitted: number;
  private started = -1;
  private ended = -1;
  private extras: Extras | null;
  errors: readonly AttemptError[] = NO_ERRORS;
  waiters: WaiterList = null;
  /** The next job of the same priority, or the next finished job. */
  next: JobRecord | null = null;
  /** The arguments, or the result if the job has succeeded. A single argument is stored without its list, unless it is an array. */
  private value: unknown;

  constructor(
    taskId: string,
    job: Pick<NewJob, 'taskName' | 'priority' | 'args' | 'overrides' | 'metadata' | 'dedupe' | 'tags'>,
    /** The queue, which also holds the data that its jobs share. */
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

  get tags(): readonly string[] | undefined {
    return this.extras?.tags;
  }

  /** The position of a job with tags among all of them: see {@link TagIndex}. */
  get tagOrder(): number {
    return this.extras?.tagOrder ?? 0;
  }

  set tagOrder(order: number) {
    (this.extras ??= {}).tagOrder = order;
  }

  /** Always `false`: if this process ends, its jobs are gone too. */
  get lost(): boolean {
    return false;
  }

  get isResumed(): boolean {
    return this.journal?.isAppended === true;
  }

  /** `undefined` for most jobs. */
  get journal(): MemoryJournal | undefined {
    return this.extras?.journal;
  }

  set journal(journal: MemoryJournal) {
    (this.extras ??= {}).journal = journal;
  }

  cancelRunning(reason: string): void {
    (this.extras ??= {}).cancelling ??= reason;
  }

  /** Whether a cancellation of the attempt that ends was added to the journal. A job without a journal has none. */
  postCancellation(): boolean {
    const reason = this.extras?.cancelling;
    if (reason === undefined || this.journal?.isAppended !== true) return false;
    return this.journal.post(cancelEntry(reason), true) !== 'known';
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

  /** Whether the job is delayed and was never started. */
  get isUntouched(): boolean {
    return this.dueAt !== undefined && this.started < 0;
  }

  /** `undefined` unless the job is delayed. */
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

  /** Takes the arguments, the options and the tags of a later submission with the same key. */
  replaceBy(job: NewJob): void {
    this.extras = { ...this.extras, overrides: job.overrides, metadata: job.metadata, tags: job.tags };
    this.value = bare(job.args);
  }

  /** Prepares a failed job to run again. Its errors and log are kept. */
  reset(): void {
    this.retries = 0;
    this.started = -1;
    this.waitAgain();
    if (this.extras === null) return;
    this.extras.progress = undefined;
    delete this.extras.cancelling;
  }

  report({ progress, lines }: JobReport): void {
    const extras = (this.extras ??= {});
    if (progress !== undefined) extras.progress = progress;
    if (lines.length > 0) extras.logs = [...(extras.logs ?? []), ...lines].slice(-MAX_LOG_LINES);
  }

  /**
   * A new record of the same job, which replaces this one. This one stays, empty, in a chain from whose middle it
   * cannot be taken.
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

  /** Releases the data of a record that is no longer used, although a chain may still contain it. */
  empty(): void {
    this.extras = null;
    this.value = undefined;
    this.errors = NO_ERRORS;
  }

  /** A copy that shares no object with the record. */
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

  row(): JobRow {
    const { queue, priority, dueAt = null, metadata, tags } = this;
    const waits = !this.finished && this.status !== 'running';
    return {
      ...this.state(),
      queue,
      priority,
      dueAt: waits ? dueAt : null,
      metadata: copyPlain(metadata) as Metadata | undefined,
      tags,
    };
  }

  /** With arguments and log. If the job has succeeded, its arguments are no longer kept: the result replaced them. */
  details(): JobRow {
    const args = this.status === 'success' ? null : this.args();
    return { ...this.row(), args, logs: this.extras?.logs ?? [] };
  }
}

const NOTHING = { args: [], overrides: undefined, metadata: undefined, dedupe: undefined, tags: undefined };

function extrasOf(job: Pick<NewJob, 'overrides' | 'metadata' | 'dedupe' | 'tags'>): Extras | null {
  const { overrides, metadata, dedupe, tags } = job;
  const isPlain = overrides === undefined && metadata === undefined && dedupe === undefined;
  return isPlain && tags === undefined ? null : { overrides, metadata, dedupe, tags };
}

function bare(args: readonly unknown[]): unknown {
  return args.length === 1 && !Array.isArray(args[0]) ? args[0] : args;
}

/** Never negative, even if the system's clock was set back: a negative time means "not yet". */
function since(epoch: number, now: number): number {
  return Math.max(0, now - epoch);
}
