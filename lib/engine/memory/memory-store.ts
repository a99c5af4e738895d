import type { Clock } from '../../job/clock.js';
import { ResultNotFoundError } from '../../job/errors.js';
import { type Accepted, type Attempt, Duplicate, type NewJob, waitingStatus } from '../../job/job.js';
import { cancelEntry } from '../../job/journal/journal.js';
import { type NextState, nextState, type Outcome } from '../../job/outcome.js';
import { droppedResult, type FinishedTaskResult, taskResultOf } from '../../job/task-result.js';
import { DedupeKeys } from '../dedupe-keys.js';
import { EmbeddedEngine } from '../embedded/embedded-engine.js';
import { CHANGED, type JobStore, type OpenStore, type StoreConfig } from '../embedded/job-store.js';
import { FinishedJobs } from './finished-jobs.js';
import type { JobRecord } from './job-record.js';
import { MemoryControl } from './memory-control.js';
import { MemoryJournals } from './memory-journals.js';
import { MemoryJobs } from './memory-jobs.js';
import { MemoryQueue } from './memory-queue.js';
import { MemoryResults } from './memory-results.js';
import { MemorySchedules } from './memory-schedules.js';
import { waitersOf } from './waiter-list.js';

/** Stores jobs and results in the memory of this process. They are lost when the process ends. */
export function memoryEngine(): EmbeddedEngine {
  return new EmbeddedEngine('memory', new MemoryStore());
}

export class MemoryStore implements JobStore {
  readonly durable = false;
  readonly supports: JobStore['supports'] = new Set(['fleetLimits', 'schedules', 'journals']);
  private latest: OpenMemoryStore | null = null;

  /** The jobs of the store that was open before are kept. */
  open(config: StoreConfig): OpenMemoryStore {
    this.latest = new OpenMemoryStore(config, this.latest);
    return this.latest;
  }
}

export class OpenMemoryStore implements OpenStore {
  readonly results = new MemoryResults(this);
  readonly control = new MemoryControl(this);
  readonly schedules: MemorySchedules;
  readonly journals = new MemoryJournals(this);
  readonly clock: Clock;
  /** The zero of the times in job records, in milliseconds since the Unix epoch. */
  private readonly epoch: number;
  private readonly jobs: MemoryJobs;
  private readonly queues: Map<string, MemoryQueue<JobRecord>>;
  private readonly keys: DedupeKeys<JobRecord>;
  private readonly finished: FinishedJobs;

  /** @param earlier The store before, whose jobs this one takes over. */
  constructor(
    private readonly config: StoreConfig,
    earlier: OpenMemoryStore | null,
  ) {
    this.clock = config.clock;
    this.epoch = earlier?.epoch ?? config.clock.now();
    this.jobs = earlier?.jobs ?? new MemoryJobs();
    this.schedules = earlier?.schedules ?? new MemorySchedules();
    this.queues = earlier?.queues ?? new Map<string, MemoryQueue<JobRecord>>();
    this.keys = earlier?.keys ?? new DedupeKeys<JobRecord>();
    this.finished =
      earlier?.finished ?? new FinishedJobs(config.clock, config.retention, (job) => this.drop(job));
    for (const queue of config.queues)
      if (!this.queues.has(queue.name))
        this.queues.set(queue.name, new MemoryQueue(queue.name, this.epoch, queue));
  }

  insert(job: NewJob, now: number): Accepted {
    const { dedupe } = job;
    if (job.taskId !== undefined && this.find(job.taskId) !== undefined) return new Duplicate(job.taskId);
    if (dedupe !== undefined) {
      const existing = this.keys.existing(dedupe, now);
      if (existing !== null) {
        if (dedupe.mode === 'debounce') this.debounce(existing.job as JobRecord, job, now);
        return new Duplicate(existing.taskId);
      }
    }
    const record = this.jobs.add(job, this.queue(job.queue), now);
    if (dedupe !== undefined) this.keys.put(dedupe, record, now);
    if (job.delay > 0) record.home.pushDelayed(record, now + job.delay);
    else record.home.push(record);
    return record.taskId;
  }

  insertMany(jobs: readonly NewJob[], now: number): Accepted[] {
    return jobs.map((job) => this.insert(job, now));
  }

  hasExisting({ taskId, dedupe }: NewJob, now: number): boolean {
    if (taskId !== undefined && this.find(taskId) !== undefined) return true;
    return dedupe !== undefined && this.keys.existing(dedupe, now) !== null;
  }

  claim(queue: string, limit: number, now: number): readonly Attempt[] {
    const waiting = this.queue(queue);
    const allowed = waiting.allowed(limit, now);
    const claimed: JobRecord[] = [];
    while (claimed.length < allowed) {
      const job = waiting.shift(now);
      if (job === null) break;
      job.start(now);
      claimed.push(job);
    }
    waiting.started(claimed.length, now);
    return claimed;
  }

  settle(attempt: Attempt, outcome: Outcome, now: number): boolean {
    const job = attempt as JobRecord;
    if (job.status !== 'running') return false;
    job.home.running--;
    const given = nextState(job, outcome, now, job.journal?.posts);
    // The next attempt finds the cancellation in the journal, and undoes the steps.
    const next = given.finishedAt === null && job.postCancellation() ? dueNow(given) : given;
    job.apply(next);
    if (next.status === 'suspended') job.home.suspend(job, now + next.delay);
    else if (next.finishedAt === null) this.wait(job, next.delay, now, next.first);
    else this.finish(job);
    return true;
  }

  nextDue(queue: string): number | null {
    return this.queue(queue).nextDue(this.clock);
  }

  pendingCount(): number {
    let count = 0;
    for (const queue of this.queues.values()) count += queue.size;
    return count;
  }

  stop(reason: string, now: number): number {
    let count = 0;
    for (const job of this.jobs.all()) {
      if (job.finished) continue;
      if (job.status === 'running') job.home.running--;
      job.cancel(reason, now);
      this.finish(job);
      count++;
    }
    for (const queue of this.queues.values()) queue.clear();
    return count;
  }

  close(): void {
    this.finished.close();
  }

  /** The job with this id, in any state. Expired results are dropped first. */
  find(taskId: string): JobRecord | undefined {
    this.finished.prune(this.clock.now());
    return this.jobs.find(taskId);
  }

  /** The error for an id that is not found. An id that this store generated had a job. */
  missing(taskId: string): Error {
    return this.jobs.wasIssued(taskId)
      ? droppedResult(taskId)
      : new ResultNotFoundError(
          `No job '${taskId}' is known here. The memory engine loses its jobs when the process ends.`,
        );
  }

  cancelWaiting(job: JobRecord, reason: string): JobRecord {
    job.home.exclude(job);
    const cancelled = this.replace(job);
    job.status = 'cancelled';
    cancelled.cancel(reason, this.clock.now());
    this.finish(cancelled);
    return cancelled;
  }

  cancelRunning(job: JobRecord, reason: string): void {
    job.cancelRunning(reason);
    this.config.notify({ type: 'cancelled', attempt: job, reason });
  }

  cancelDurable(job: JobRecord, reason: string): boolean {
    if (job.journal?.isAppended !== true) return false;
    if (job.journal.post(cancelEntry(reason), true) === 'known') return true;
    const now = this.clock.now();
    if (job.status === 'suspended') job.home.wakeAt(job, now);
    else if (job.dueAt !== undefined) job.home.reschedule(job, now);
    return true;
  }

  /** A failed job waits again. */
  requeue(job: JobRecord): JobRecord {
    job.home.failed--;
    this.finished.exclude();
    const waiting = this.replace(job);
    waiting.reset();
    waiting.home.push(waiting);
    if (waiting.dedupe !== undefined) this.keys.requeued(waiting, waiting.dedupe, this.clock.now());
    return waiting;
  }

  remove(job: JobRecord): void {
    this.drop(job);
    this.finished.exclude();
    job.empty();
  }

  before(slot: number): Iterable<[number, JobRecord]> {
    return this.jobs.before(slot);
  }

  withTag(tag: string, order: number): Iterable<[number, JobRecord]> {
    return this.jobs.tags.before(tag, order);
  }

  get tagEnd(): number {
    return this.jobs.tags.end;
  }

  get end(): number {
    return this.jobs.end;
  }

  get allQueues(): Iterable<MemoryQueue<JobRecord>> {
    return this.queues.values();
  }

  changed(): void {
    this.config.notify(CHANGED);
  }

  queue(name: string): MemoryQueue<JobRecord> {
    let queue = this.queues.get(name);
    if (queue === undefined) this.queues.set(name, (queue = new MemoryQueue(name, this.epoch)));
    return queue;
  }

  private debounce(job: JobRecord, later: NewJob, now: number): void {
    this.jobs.replaceContent(job, later);
    job.home.reschedule(job, now + later.delay);
    this.changed();
  }

  /** A new record replaces one that cannot be taken from the middle of a chain. */
  private replace(job: JobRecord): JobRecord {
    const successor = this.jobs.replace(job);
    this.keys.replaced(job, successor);
    return successor;
  }

  private finish(job: JobRecord): void {
    job.home[job.status as 'success' | 'failed' | 'cancelled']++;
    this.finished.add(job);
    if (job.dedupe !== undefined) this.keys.ended(job, job.dedupe);
    if (job.waiters === null) return;
    const waiters = waitersOf(job.waiters);
    job.waiters = null;
    for (const waiter of waiters) waiter(taskResultOf(job.state()) as FinishedTaskResult);
  }

  private wait(job: JobRecord, delay: number, now: number, first: boolean): void {
    const { home } = job;
    if (job.status === 'retrying') home.retrying++;
    if (delay > 0) home.pushDelayed(job, now + delay);
    else if (first) home.pushFront(job);
    else home.push(job);
  }

  /** Returns `false` for a record that its job no longer uses. */
  private drop(job: JobRecord): boolean {
    if (!this.jobs.remove(job)) return false;
    job.home[job.status as 'success' | 'failed' | 'cancelled']--;
    return true;
  }
}

function dueNow(state: NextState): NextState {
  return { ...state, status: waitingStatus(state.retries), delay: 0 };
}
