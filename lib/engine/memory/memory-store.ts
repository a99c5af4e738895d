import { EmbeddedEngine } from '../embedded/embedded-engine.js';
import { ResultExpiredError, ResultNotFoundError } from '../../job/errors.js';
import type { FinishedTaskResult } from '../../job/task-result.js';
import { taskResultOf } from '../../job/task-snapshot.js';
import { CHANGED, type JobStore, type OpenStore, type StoreConfig } from '../embedded/job-store.js';
import { type Accepted, type Attempt, Duplicate, type NewJob } from '../../job/job.js';
import { nextState, type Outcome } from '../../job/outcome.js';
import { DedupeKeys } from './dedupe-keys.js';
import { JobRecord } from './job-record.js';
import { MemoryControl } from './memory-control.js';
import { MemoryJobs } from './memory-jobs.js';
import { MemoryQueue } from './memory-queue.js';
import { MemoryResults } from './memory-results.js';
import { FinishedJobs } from './finished-jobs.js';

/** Jobs and results in this process's memory, for as long as it lives. */
export class MemoryStore implements JobStore, OpenStore {
  readonly durable = false;
  readonly results = new MemoryResults(this);
  readonly control = new MemoryControl(this);
  private readonly jobs = new MemoryJobs();
  private readonly queues = new Map<string, MemoryQueue<JobRecord>>();
  private readonly keys = new DedupeKeys();
  private finished!: FinishedJobs;
  private config!: StoreConfig;
  private epoch = 0;

  get clock() {
    return this.config.clock;
  }

  open(config: StoreConfig): this {
    this.config = config;
    this.epoch ||= config.clock.now();
    this.finished ??= new FinishedJobs(config.clock, config.retention, (job) => this.forget(job));
    for (const queue of config.queues)
      if (!this.queues.has(queue.name))
        this.queues.set(queue.name, new MemoryQueue(queue.name, this.epoch, queue));
    return this;
  }

  insert(job: NewJob, now: number): Accepted {
    const { dedupe } = job;
    if (job.taskId !== undefined && this.find(job.taskId) !== undefined) return new Duplicate(job.taskId);
    if (dedupe !== undefined) {
      const standing = this.keys.standing(dedupe, now);
      if (standing !== null) {
        if (dedupe.mode === 'debounce') this.debounce(standing.job as JobRecord, job, now);
        return new Duplicate(standing.taskId);
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
    return dedupe !== undefined && this.keys.standing(dedupe, now) !== null;
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
    const next = nextState(job, outcome, now);
    job.apply(next);
    if (next.finishedAt === null) this.wait(job, next.delay, now, next.first);
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
    this.finished?.close();
  }

  /** The job of an id, whatever its state; results older than they may be are dropped first. */
  find(taskId: string): JobRecord | undefined {
    this.finished.prune(this.clock.now());
    return this.jobs.find(taskId);
  }

  /** Why an id is not found: an id of this store's own making was a job once. */
  missing(taskId: string): ResultExpiredError | ResultNotFoundError {
    return this.jobs.wasIssued(taskId)
      ? new ResultExpiredError(
          `The result of ${taskId} has been dropped, by resultTtl or maxResults. Raise them, or read results sooner.`,
        )
      : new ResultNotFoundError(
          `No job '${taskId}' is known here. The memory engine forgets its jobs when the process ends.`,
        );
  }

  cancelWaiting(job: JobRecord, reason: string): JobRecord {
    job.home.takeOut(job);
    const over = this.goOn(job);
    job.status = 'cancelled';
    over.cancel(reason, this.clock.now());
    this.finish(over);
    this.changed();
    return over;
  }

  cancelRunning(job: JobRecord, reason: string): void {
    this.config.notify({ type: 'cancelled', attempt: job, reason });
  }

  /** A failed job becomes one that waits. */
  restart(job: JobRecord): JobRecord {
    job.home.failed--;
    this.finished.leave();
    const again = this.goOn(job);
    again.startAnew();
    again.home.push(again);
    if (again.dedupe !== undefined) this.keys.resumed(again, again.dedupe, this.clock.now());
    this.changed();
    return again;
  }

  remove(job: JobRecord): void {
    this.forget(job);
    this.finished.leave();
    job.empty();
  }

  before(place: number): Iterable<[number, JobRecord]> {
    return this.jobs.before(place);
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
    job.replaceBy(later);
    job.home.delayAnew(job, now + later.delay);
    this.changed();
  }

  /** Another record in the place of one that cannot be taken from the middle of a chain. */
  private goOn(job: JobRecord): JobRecord {
    const successor = this.jobs.replace(job);
    this.keys.succeeded(job, successor);
    return successor;
  }

  private finish(job: JobRecord): void {
    job.home[job.status as 'success' | 'failed' | 'cancelled']++;
    this.finished.add(job);
    if (job.dedupe !== undefined) this.keys.ended(job, job.dedupe);
    if (job.waiters === null) return;
    for (const waiter of job.takeWaiters()) waiter(taskResultOf(job.state()) as FinishedTaskResult);
  }

  private wait(job: JobRecord, delay: number, now: number, first: boolean): void {
    const { home } = job;
    if (job.status === 'retrying') home.retrying++;
    if (delay > 0) home.pushDelayed(job, now + delay);
    else if (first) home.pushFront(job);
    else home.push(job);
  }

  /** Says `false` of a record that was left behind. */
  private forget(job: JobRecord): boolean {
    if (!this.jobs.remove(job)) return false;
    job.home[job.status as 'success' | 'failed' | 'cancelled']--;
    return true;
  }
}

/** The engine that needs nothing but the process it lives in, and keeps nothing when that ends. */
export function memoryEngine(): EmbeddedEngine {
  return new EmbeddedEngine('memory', new MemoryStore());
}
