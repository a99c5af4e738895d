import type { Attempt, JobRow, JobReport, TaskStatus } from '../../job/job.js';
import type {
  BulkConditions,
  BulkOperation,
  BulkStep,
  Cancellation,
  ChangedJob,
  JobControl,
} from '../control.js';
import { type RowPage, type JobQuery, type QueueCounts, badCursor, matches } from '../../job/query.js';
import type { JobRecord } from './job-record.js';
import type { MemoryQueue } from './memory-queue.js';

/** The largest number of jobs that are read for one page. */
const MAX_READ = 10_000;
/** The most jobs of one step of an operation on many: a few milliseconds. */
const MAX_CHANGED = 200;

/** The part of the store that the control uses. */
export interface ControlledJobs {
  find(taskId: string): JobRecord | undefined;
  /** Call `changed` afterwards. */
  cancelWaiting(job: JobRecord, reason: string): JobRecord;
  cancelRunning(job: JobRecord, reason: string): void;
  /** Whether the job waits and has a journal: then its next attempt ends it. Call `changed` afterwards. */
  cancelDurable(job: JobRecord, reason: string): boolean;
  /** Call `changed` afterwards. */
  requeue(job: JobRecord): JobRecord;
  remove(job: JobRecord): void;
  /** The jobs in slots below `slot`, in descending order, each with its slot. */
  before(slot: number): Iterable<[number, JobRecord]>;
  /** All slots are below this one. */
  readonly end: number;
  /** The jobs with a tag and lower orders than `order`, from the latest submission on, each with its order. */
  withTag(tag: string, order: number): Iterable<[number, JobRecord]>;
  /** All orders are below this one. */
  readonly tagEnd: number;
  queue(name: string): MemoryQueue<JobRecord>;
  readonly allQueues: Iterable<MemoryQueue<JobRecord>>;
  changed(): void;
}

/** Operations on the jobs of the memory store. */
export class MemoryControl implements JobControl {
  constructor(private readonly jobs: ControlledJobs) {}

  cancel(taskId: string, reason: string): Cancellation {
    const job = this.jobs.find(taskId);
    if (job === undefined) return { kind: 'unknown' };
    if (job.finished) return { kind: 'finished' };
    if (job.status === 'running') {
      this.jobs.cancelRunning(job, reason);
      return { kind: 'signalled' };
    }
    if (this.jobs.cancelDurable(job, reason)) {
      this.jobs.changed();
      return { kind: 'signalled' };
    }
    const cancelled = this.jobs.cancelWaiting(job, reason);
    this.jobs.changed();
    return { kind: 'cancelled', job: cancelled.row() };
  }

  report(attempt: Attempt, report: JobReport): void {
    const job = attempt as JobRecord;
    if (job.status === 'running') job.report(report);
  }

  job(taskId: string): JobRow | null {
    return this.jobs.find(taskId)?.details() ?? null;
  }

  find(query: JobQuery): RowPage {
    const rows: JobRow[] = [];
    let read = 0;
    const { tag, cursor, limit } = query;
    const end = tag === undefined ? this.jobs.end : this.jobs.tagEnd;
    for (const [at, job] of this.positions(tag, cursor === null ? end : positionOf(cursor))) {
      if (matches(query, job)) rows.push(job.row());
      if (rows.length === limit || ++read === MAX_READ) return { rows, cursor: at.toString(36) };
    }
    return { rows, cursor: null };
  }

  counts(): QueueCounts[] {
    return [...this.jobs.allQueues].map(
      ({ queue, paused, size, running, retrying, suspended, success, failed, cancelled }) => ({
        queue,
        paused,
        pending: size - retrying,
        running,
        retrying,
        suspended,
        success,
        failed,
        cancelled,
      }),
    );
  }

  retry(taskId: string): JobRow | null {
    const job = this.jobs.find(taskId);
    if (job?.status !== 'failed') return null;
    const waiting = this.jobs.requeue(job);
    this.jobs.changed();
    return waiting.row();
  }

  remove(taskId: string): boolean {
    const job = this.jobs.find(taskId);
    if (job === undefined || !job.finished) return false;
    this.jobs.remove(job);
    return true;
  }

  *bulk(operation: BulkOperation, conditions: BulkConditions, dryRun: boolean): Iterable<BulkStep> {
    const { tag } = conditions;
    let position = tag === undefined ? this.jobs.end : this.jobs.tagEnd;
    for (let isLast = false; !isLast;) {
      // Collected first, since an operation changes the lists that are read.
      const batch: JobRecord[] = [];
      let read = 0;
      isLast = true;
      for (const [at, job] of this.positions(tag, position)) {
        position = at;
        if (matches(conditions, job)) batch.push(job);
        if (batch.length < MAX_CHANGED && ++read < MAX_READ) continue;
        isLast = false;
        break;
      }
      if (dryRun) yield { count: batch.length, changed: [] };
      else yield this.applyAll(operation, batch, conditions.status);
    }
  }

  pause(queue: string): void {
    this.jobs.queue(queue).paused = true;
  }

  resume(queue: string): void {
    this.jobs.queue(queue).paused = false;
    this.jobs.changed();
  }

  /** The jobs before a position, which is a slot or, with a tag, an order: from the latest on, each with its position. */
  private positions(tag: string | undefined, before: number): Iterable<[number, JobRecord]> {
    return tag === undefined ? this.jobs.before(before) : this.jobs.withTag(tag, before);
  }

  private applyAll(
    operation: BulkOperation,
    batch: readonly JobRecord[],
    statuses: readonly TaskStatus[],
  ): BulkStep {
    const changed: ChangedJob[] = [];
    let count = 0;
    for (const job of batch) {
      // The code that hears of an abort may have changed another job of the batch.
      if (this.jobs.find(job.taskId) !== job || !statuses.includes(job.status)) continue;
      count++;
      const one = this.apply(operation, job);
      if (one !== null) changed.push(one);
    }
    if (count > 0) this.jobs.changed();
    return { count, changed };
  }

  /** The changed job; `null` for a job that runs on or is gone. */
  private apply(operation: BulkOperation, job: JobRecord): ChangedJob | null {
    switch (operation.kind) {
      case 'retry':
        return told(this.jobs.requeue(job), null);
      case 'remove':
        this.jobs.remove(job);
        return null;
      case 'cancel':
        if (job.status === 'running') {
          this.jobs.cancelRunning(job, operation.reason);
          return null;
        }
        if (this.jobs.cancelDurable(job, operation.reason)) return null;
        return told(this.jobs.cancelWaiting(job, operation.reason), operation.reason);
    }
  }
}

function told({ taskId, taskName, queue, retries }: JobRecord, reason: string | null): ChangedJob {
  return { taskId, taskName, queue, retries, reason };
}

function positionOf(cursor: string): number {
  if (/^[0-9a-z]{1,9}$/.test(cursor)) return Number.parseInt(cursor, 36);
  throw badCursor(cursor);
}
