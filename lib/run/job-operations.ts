// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import type {
  BulkConditions,
  BulkOperation,
  Cancellation,
  ChangedJob,
  JobControl,
} from '../engine/control.js';
import type { RowPage, JobQuery, QueueCounts } from '../job/query.js';
import { ResultNotFoundError } from '../job/errors.js';
import { type JobDetails, jobDetailsOf } from '../job/job-view.js';
import { showValue } from '../job/show-value.js';
import type { DurableJobs } from './durable/durable-jobs.js';
import type { ParentNotices } from './durable/parent-notices.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';

const PAGE_SIZE = 100;
/** The number of jobs on which an operation works at the same time. */
const BATCH = 20;

/** The jobs of an operation on many. */
export interface BulkQuery extends BulkConditions {
  /** Whether the jobs are only counted. */
  readonly dryRun: boolean;
}

export interface JobOperationsParts {
  readonly control: JobControl;
  readonly observer: RunObserver;
  readonly recorder: ResultRecorder | null;
  /** `undefined` if the engine keeps no journals. */
  readonly durable: DurableJobs | undefined;
  readonly parents: Pick<ParentNotices, 'cancelled'> | null;
}

/** Operations on jobs and queues: on the engine, in the configured backend, and with their events. */
export class JobOperations {
  private readonly control: JobControl;
  private readonly observer: RunObserver;
  private readonly recorder: ResultRecorder | null;

  constructor(private readonly parts: JobOperationsParts) {
    this.control = parts.control;
    this.observer = parts.observer;
    this.recorder = parts.recorder;
  }

  /** `true` if the job has ended as cancelled or its signal is aborted; `false` if it had ended before. */
  async cancel(taskId: string, reason: string): Promise<boolean> {
    const { kind } = await this.tryCancel(taskId, reason);
    if (kind !== 'unknown') return kind !== 'finished';
    throw new ResultNotFoundError(
      `cancel(): no job ${showValue(taskId)} is known, or its result has been dropped.`,
    );
  }

  private async tryCancel(taskId: string, reason: string): Promise<Cancellation> {
    const cancellation = await this.control.cancel(taskId, reason);
    if (cancellation.kind === 'cancelled') {
      await this.recorder?.changed(cancellation.job);
      await this.parts.parents?.cancelled(cancellation.job);
      this.observer.cancelled(cancellation.job);
    }
    return cancellation;
  }

  async get(taskId: string): Promise<JobDetails | null> {
    const row = await this.control.job(taskId);
    if (row === null) return null;
    return jobDetailsOf(row, (await this.parts.durable?.stepsOf(taskId)) ?? []);
  }

  async find(query: JobQuery): Promise<RowPage> {
    return this.control.find(query);
  }

  async counts(): Promise<readonly QueueCounts[]> {
    return this.control.counts();
  }

  /** @param fromStep Forgets this step and those after it. */
  async retry(taskId: string, fromStep?: string): Promise<boolean> {
    if (fromStep !== undefined) await this.forgetFrom(taskId, fromStep);
    const undo = await this.recordRetry(taskId);
    const job = await this.control.retry(taskId);
    if (job === null) {
      await undo?.();
      return false;
    }
    this.observer.requeued(job);
    return true;
  }

  /**
   * An operation on all jobs that were submitted, and for `retry` and `remove` had ended, before the call.
   *
   * @param now Milliseconds since the epoch.
   * @returns The number of jobs.
   */
  async bulk(operation: BulkOperation, query: BulkQuery, now: number): Promise<number> {
    const { dryRun, ...given } = query;
    const conditions = { ...given, to: Math.min(given.to ?? Infinity, now + 1) };
    if (operation.kind !== 'cancel')
      conditions.finishedBefore = Math.min(given.finishedBefore ?? Infinity, now + 1);
    if (this.recorder !== null && !dryRun) return this.oneByOne(operation, conditions);
    let count = 0;
    for await (const step of this.control.bulk(operation, conditions, dryRun)) {
      count += step.count;
      for (const job of step.changed) this.announce(operation, job);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return count;
  }

  /** The configured backend hears of each job in the order that a single operation keeps. */
  private async oneByOne(operation: BulkOperation, conditions: BulkConditions): Promise<number> {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: RowPage = await this.find({ ...conditions, cursor, limit: PAGE_SIZE });
      for (const { taskId } of page.rows) found.push(taskId);
      cursor = page.cursor;
    } while (cursor !== null);
    let count = 0;
    for (let from = 0; from < found.length; from += BATCH) {
      const some = found.slice(from, from + BATCH);
      const done = await Promise.all(some.map((taskId) => this.apply(operation, taskId)));
      count += done.filter(Boolean).length;
    }
    return count;
  }

  private async apply(operation: BulkOperation, taskId: string): Promise<boolean> {
    switch (operation.kind) {
      case 'retry':
        return this.retry(taskId);
      case 'remove':
        return this.remove(taskId);
      case 'cancel': {
        const { kind } = await this.tryCancel(taskId, operation.reason);
        return kind === 'cancelled' || kind === 'signalled';
      }
    }
  }

  private announce({ kind }: BulkOperation, job: ChangedJob): void {
    if (kind === 'retry') this.observer.requeued(job);
    else if (kind === 'cancel') this.observer.cancelled(job);
  }

  private async forgetFrom(taskId: string, step: string): Promise<void> {
    const job = await this.control.job(taskId);
    if (job?.status === 'failed') await this.parts.durable?.forgetFrom(taskId, step);
  }

  /**
   * The backend is written before the engine retries the job: otherwise the next attempt could be
   * recorded first. Returns a function that restores the failed state.
   */
  private async recordRetry(taskId: string): Promise<(() => Promise<void>) | null> {
    const { recorder } = this;
    if (recorder === null) return null;
    const failed = await this.control.job(taskId);
    if (failed?.status !== 'failed') return null;
    const anew = { startedAt: null, finishedAt: null, retries: 0, progress: null };
    await recorder.changed({ ...failed, ...anew, status: 'pending' });
    return () => recorder.changed(failed);
  }

  async remove(taskId: string): Promise<boolean> {
    if (!(await this.control.remove(taskId))) return false;
    await this.recorder?.forget(taskId);
    return true;
  }

  async pause(queue: string): Promise<void> {
    await this.control.pause(queue);
  }

  async resume(queue: string): Promise<void> {
    await this.control.resume(queue);
  }
}
