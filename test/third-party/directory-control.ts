import type { QueueCounts } from 'flowrra';
import {
  type Attempt,
  type BulkConditions,
  type BulkOperation,
  type BulkStep,
  badCursor,
  type Cancellation,
  type ChangedJob,
  type JobControl,
  type JobQuery,
  type JobReport,
  type JobRow,
  matches,
  type RowPage,
} from 'flowrra/engine';
import type { DirectoryJobs } from './directory-jobs.js';

/** The parts of an engine that the control uses. */
export interface ControlParts {
  readonly jobs: DirectoryJobs;
  /** Cancels the run of an attempt. */
  cancelRun(attempt: Attempt, reason: string): void;
  /** A job has left its queue. */
  left(): void;
  /** There may be jobs to claim in a queue. */
  wake(queue: string): void;
}

export class DirectoryControl implements JobControl {
  constructor(private readonly parts: ControlParts) {}

  cancel(taskId: string, reason: string): Cancellation {
    const { jobs } = this.parts;
    const job = jobs.find(taskId);
    if (job === undefined) return { kind: 'unknown' };
    if (job.finished) return { kind: 'finished' };
    if (job.attempt !== null) {
      this.parts.cancelRun(job.attempt, reason);
      return { kind: 'signalled' };
    }
    jobs.cancelWaiting(job, reason);
    this.parts.left();
    return { kind: 'cancelled', job: jobs.row(job) };
  }

  report(attempt: Attempt, report: JobReport): void {
    this.parts.jobs.report(attempt, report);
  }

  job(taskId: string): JobRow | null {
    const { jobs } = this.parts;
    const job = jobs.find(taskId);
    return job === undefined ? null : jobs.row(job);
  }

  /** A cursor is the number of the last file of a page. */
  find(query: JobQuery): RowPage {
    const { cursor, limit } = query;
    if (cursor !== null && !/^\d{1,15}$/.test(cursor)) throw badCursor(cursor);
    const before = cursor === null ? Infinity : Number(cursor);
    const { jobs } = this.parts;
    const found = jobs.newestFirst().filter((job) => job.number < before && matches(query, job));
    const page = found.slice(0, limit);
    return {
      rows: page.map((job) => jobs.row(job)),
      cursor: found.length > limit ? String(page.at(-1)?.number) : null,
    };
  }

  counts(): QueueCounts[] {
    const queues = [...this.parts.jobs.queues];
    return queues.map(([queue, { counts, paused }]) => ({ queue, paused, ...counts }));
  }

  retry(taskId: string): JobRow | null {
    const { jobs } = this.parts;
    const job = jobs.find(taskId);
    if (job?.status !== 'failed') return null;
    jobs.requeue(job);
    this.parts.wake(job.queue);
    return jobs.row(job);
  }

  remove(taskId: string): boolean {
    const { jobs } = this.parts;
    const job = jobs.find(taskId);
    if (job === undefined || !job.finished) return false;
    jobs.remove(job);
    return true;
  }

  /** One job is one step: each step writes a file. */
  *bulk(operation: BulkOperation, conditions: BulkConditions, dryRun: boolean): Iterable<BulkStep> {
    for (const { taskId } of this.parts.jobs.newestFirst()) {
      const job = this.parts.jobs.find(taskId);
      if (job === undefined || !matches(conditions, job)) continue;
      yield dryRun ? { count: 1, changed: [] } : this.apply(operation, taskId);
    }
  }

  private apply(operation: BulkOperation, taskId: string): BulkStep {
    switch (operation.kind) {
      case 'retry':
        return stepOf(this.retry(taskId));
      case 'remove':
        return { count: this.remove(taskId) ? 1 : 0, changed: [] };
      case 'cancel': {
        const cancellation = this.cancel(taskId, operation.reason);
        if (cancellation.kind === 'cancelled') return stepOf(cancellation.job);
        return { count: cancellation.kind === 'signalled' ? 1 : 0, changed: [] };
      }
    }
  }

  pause(queue: string): void {
    this.parts.jobs.pause(queue, true);
  }

  resume(queue: string): void {
    this.parts.jobs.pause(queue, false);
    this.parts.wake(queue);
  }
}

function stepOf(changed: ChangedJob | null): BulkStep {
  return changed === null ? { count: 0, changed: [] } : { count: 1, changed: [changed] };
}
