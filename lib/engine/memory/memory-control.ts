import type { Attempt, JobRow, JobReport } from '../../job/job.js';
import type { Cancellation, JobControl } from '../control.js';
import { type RowPage, type JobQuery, type QueueCounts, badCursor, matches } from '../../job/query.js';
import type { JobRecord } from './job-record.js';
import type { MemoryQueue } from './memory-queue.js';

/** The most jobs that one page looks at. */
const LOOKED_AT = 10_000;

/** What the control needs of the store. */
export interface ControlledJobs {
  find(taskId: string): JobRecord | undefined;
  cancelWaiting(job: JobRecord, reason: string): JobRecord;
  cancelRunning(job: JobRecord, reason: string): void;
  restart(job: JobRecord): JobRecord;
  remove(job: JobRecord): void;
  /** Jobs whose place lies before `place`, backwards, each with its place. */
  before(place: number): Iterable<[number, JobRecord]>;
  /** No job has a place as high. */
  readonly end: number;
  queue(name: string): MemoryQueue<JobRecord>;
  readonly allQueues: Iterable<MemoryQueue<JobRecord>>;
  changed(): void;
}

/** What is done to the memory store's jobs from outside. */
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
    return { kind: 'cancelled', job: this.jobs.cancelWaiting(job, reason).info() };
  }

  report(attempt: Attempt, report: JobReport): void {
    const job = attempt as JobRecord;
    if (job.status === 'running') job.report(report);
  }

  job(taskId: string): JobRow | null {
    return this.jobs.find(taskId)?.details() ?? null;
  }

  find(query: JobQuery): RowPage {
    const found: JobRow[] = [];
    let looked = 0;
    let place = query.cursor === null ? this.jobs.end : placeOf(query.cursor);
    for (const [at, job] of this.jobs.before(place)) {
      place = at;
      if (matches(query, job)) found.push(job.info());
      if (found.length === query.limit || ++looked === LOOKED_AT)
        return { rows: found, cursor: place.toString(36) };
    }
    return { rows: found, cursor: null };
  }

  counts(): QueueCounts[] {
    return [...this.jobs.allQueues].map((of) => {
      const { queue, paused, size, running, retrying, success, failed, cancelled } = of;
      return { queue, paused, pending: size - retrying, running, retrying, success, failed, cancelled };
    });
  }

  retry(taskId: string): JobRow | null {
    const job = this.jobs.find(taskId);
    return job?.status === 'failed' ? this.jobs.restart(job).info() : null;
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

function placeOf(cursor: string): number {
  if (/^[0-9a-z]{1,9}$/.test(cursor)) return Number.parseInt(cursor, 36);
  throw badCursor(cursor);
}
