import type { Attempt, JobRow, JobReport } from '../../job/job.js';
import type { Cancellation, JobControl } from '../control.js';
import { type RowPage, type JobQuery, type QueueCounts, badCursor, matches } from '../../job/query.js';
import type { JobRecord } from './job-record.js';
import type { MemoryQueue } from './memory-queue.js';

/** The largest number of jobs that are read for one page. */
const MAX_READ = 10_000;

/** The part of the store that the control uses. */
export interface ControlledJobs {
  find(taskId: string): JobRecord | undefined;
  cancelWaiting(job: JobRecord, reason: string): JobRecord;
  cancelRunning(job: JobRecord, reason: string): void;
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
    return { kind: 'cancelled', job: this.jobs.cancelWaiting(job, reason).row() };
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
    const from = cursor === null ? end : positionOf(cursor);
    // The position is a slot or, with a tag, an order.
    for (const [at, job] of tag === undefined ? this.jobs.before(from) : this.jobs.withTag(tag, from)) {
      if (matches(query, job)) rows.push(job.row());
      if (rows.length === limit || ++read === MAX_READ) return { rows, cursor: at.toString(36) };
    }
    return { rows, cursor: null };
  }

  counts(): QueueCounts[] {
    return [...this.jobs.allQueues].map(
      ({ queue, paused, size, running, retrying, success, failed, cancelled }) => ({
        queue,
        paused,
        pending: size - retrying,
        running,
        retrying,
        success,
        failed,
        cancelled,
      }),
    );
  }

  retry(taskId: string): JobRow | null {
    const job = this.jobs.find(taskId);
    return job?.status === 'failed' ? this.jobs.requeue(job).row() : null;
  }

  remove(taskId: string): boolean {
    const job = this.jobs.find(taskId);
    if (job === undefined || !job.finished) return false;
    this.jobs.remove(job);
    return true;
  }

  pause(queue: string): void {
    this.jobs.queue(queue).paused = true;
  }

  resume(queue: string): void {
    this.jobs.queue(queue).paused = false;
    this.jobs.changed();
  }
}

function positionOf(cursor: string): number {
  if (/^[0-9a-z]{1,9}$/.test(cursor)) return Number.parseInt(cursor, 36);
  throw badCursor(cursor);
}
