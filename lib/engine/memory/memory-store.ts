import { ResultExpiredError, ResultNotFoundError } from '../../core/errors.js';
import type { FinishedTaskResult } from '../../core/task-result.js';
import { taskResultOf } from '../../core/task-snapshot.js';
import type { JobStore, StoreConfig } from '../embedded/job-store.interface.js';
import type { Attempt, NewJob, Outcome } from '../engine.interface.js';
import { JobRecord } from './job-record.js';
import { MemoryIds } from './memory-id.js';
import { MemoryQueue } from './memory-queue.js';
import { MemoryResults } from './memory-results.js';
import { FinishedJobs } from './finished-jobs.js';
import { SlotTable } from './slot-table.js';

/** Jobs and results in this process's memory, for as long as it lives. */
export class MemoryStore implements JobStore {
  readonly durable = false;
  readonly results = new MemoryResults(this);
  private readonly ids = new MemoryIds();
  private readonly jobs = new SlotTable<JobRecord>();
  /** Jobs whose id the caller chose: it says nothing of a slot. */
  private readonly named = new Map<string, JobRecord>();
  private readonly queues = new Map<string, MemoryQueue>();
  private finished!: FinishedJobs;
  private config!: StoreConfig;
  private epoch = 0;

  get clock() {
    return this.config.clock;
  }

  open(config: StoreConfig): void {
    this.config = config;
    this.epoch ||= config.clock.now();
    this.finished ??= new FinishedJobs(config.clock, config.retention, (job) => this.forget(job));
    for (const queue of config.queues) this.queue(queue);
  }

  insert(job: NewJob, now: number): string {
    if (job.taskId !== undefined && this.find(job.taskId) !== undefined) return job.taskId;
    const record = this.record(job, now);
    if (job.delay > 0) this.queue(job.queue).pushDelayed(record, now + job.delay);
    else this.queue(job.queue).push(record);
    return record.taskId;
  }

  insertMany(jobs: readonly NewJob[], now: number): string[] {
    return jobs.map((job) => this.insert(job, now));
  }

  claim(queue: string, limit: number, now: number): readonly Attempt[] {
    const waiting = this.queue(queue);
    const claimed: JobRecord[] = [];
    while (claimed.length < limit) {
      const job = waiting.shift(now);
      if (job === null) break;
      job.start(now);
      claimed.push(job);
    }
    return claimed;
  }

  settle(attempt: Attempt, outcome: Outcome, now: number): boolean {
    const job = attempt as JobRecord;
    if (job.status !== 'running') return false;
    switch (outcome.kind) {
      case 'success':
        this.finish(job, 'success', outcome.result, now);
        break;
      case 'failed':
        job.fail(outcome.error);
        this.finish(job, 'failed', null, now);
        break;
      case 'cancelled':
        this.finish(job, 'cancelled', outcome.reason, now);
        break;
      case 'retry':
        job.fail(outcome.error);
        job.retries++;
        this.putBack(job, 'retrying', outcome.delay, now);
        break;
      case 'snoozed':
        this.putBack(job, 'pending', outcome.delay, now);
        break;
      case 'released':
        this.putBack(job, 'pending', outcome.delay, now, true);
        break;
    }
    return true;
  }

  nextDue(queue: string): number | null {
    return this.queue(queue).nextDue();
  }

  pendingCount(): number {
    let count = 0;
    for (const queue of this.queues.values()) count += queue.size;
    return count;
  }

  abandon(reason: string, now: number): number {
    let count = 0;
    for (const job of [...this.jobs.values(), ...this.named.values()]) {
      if (job.finished) continue;
      this.finish(job, 'cancelled', reason, now);
      count++;
    }
    this.queues.clear();
    return count;
  }

  close(): void {
    this.finished?.close();
  }

  /** The job of an id, whatever its state; results older than they may be are dropped first. */
  find(taskId: string): JobRecord | undefined {
    this.finished.prune(this.clock.now());
    const slot = this.ids.slotOf(taskId);
    const job = slot < 0 ? this.named.get(taskId) : this.jobs.get(slot);
    return job?.taskId === taskId ? job : undefined;
  }

  /** Why an id is not found: an id of this store's own making was a job once. */
  missing(taskId: string): ResultExpiredError | ResultNotFoundError {
    return this.jobs.knows(this.ids.slotOf(taskId))
      ? new ResultExpiredError(
          `The result of ${taskId} has been dropped, by resultTtl or maxResults. Raise them, or read results sooner.`,
        )
      : new ResultNotFoundError(
          `No job ${taskId} is known here. The memory engine forgets its jobs when the process ends.`,
        );
  }

  forget(job: JobRecord): void {
    const slot = this.ids.slotOf(job.taskId);
    if (slot >= 0) this.jobs.free(slot);
    else this.named.delete(job.taskId);
  }

  private record(job: NewJob, now: number): JobRecord {
    if (job.taskId !== undefined) {
      const named = new JobRecord(job.taskId, job, this.queue(job.queue), now);
      this.named.set(job.taskId, named);
      return named;
    }
    const slot = this.jobs.take();
    const record = new JobRecord(this.ids.mint(slot), job, this.queue(job.queue), now);
    this.jobs.put(slot, record);
    return record;
  }

  private finish(
    job: JobRecord,
    status: 'success' | 'failed' | 'cancelled',
    value: unknown,
    now: number,
  ): void {
    job.finish(status, value, now);
    this.finished.add(job);
    if (job.waiters === null) return;
    for (const waiter of job.takeWaiters()) waiter(taskResultOf(job.state()) as FinishedTaskResult);
  }

  private putBack(
    job: JobRecord,
    status: 'pending' | 'retrying',
    delay: number,
    now: number,
    front = false,
  ): void {
    job.status = status;
    const queue = this.queue(job.queue);
    if (delay > 0) queue.pushDelayed(job, now + delay);
    else if (front) queue.pushFront(job);
    else queue.push(job);
  }

  private queue(name: string): MemoryQueue {
    let queue = this.queues.get(name);
    if (queue === undefined) this.queues.set(name, (queue = new MemoryQueue(name, this.epoch)));
    return queue;
  }
}
