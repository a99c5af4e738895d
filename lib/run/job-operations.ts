import type { Cancellation, JobControl } from '../engine/control.js';
import type { RowPage, JobQuery, JobSelection, QueueCounts } from '../job/query.js';
import { ResultNotFoundError } from '../job/errors.js';
import { type JobDetails, jobDetailsOf } from '../job/job-view.js';
import { showValue } from '../job/show-value.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';

const PAGE_SIZE = 100;
/** The number of failed jobs that are retried at the same time. */
const RETRY_BATCH = 20;

/** Operations on jobs and queues: on the engine, in the configured backend, and with their events. */
export class JobOperations {
  constructor(
    private readonly control: JobControl,
    private readonly observer: RunObserver,
    private readonly recorder: ResultRecorder | null,
  ) {}

  /** `true` if the job has ended as cancelled or its signal is aborted; `false` if it had ended before. */
  async cancel(taskId: string, reason: string): Promise<boolean> {
    const cancellation: Cancellation = await this.control.cancel(taskId, reason);
    switch (cancellation.kind) {
      case 'cancelled':
        await this.recorder?.changed(cancellation.job);
        this.observer.cancelled(cancellation.job);
        return true;
      case 'signalled':
        return true;
      case 'finished':
        return false;
      case 'unknown':
        throw new ResultNotFoundError(
          `cancel(): no job ${showValue(taskId)} is known, or its result has been dropped.`,
        );
    }
  }

  async get(taskId: string): Promise<JobDetails | null> {
    const row = await this.control.job(taskId);
    return row === null ? null : jobDetailsOf(row);
  }

  async find(query: JobQuery): Promise<RowPage> {
    return this.control.find(query);
  }

  async counts(): Promise<readonly QueueCounts[]> {
    return this.control.counts();
  }

  async retry(taskId: string): Promise<boolean> {
    const undo = await this.recordRetry(taskId);
    const job = await this.control.retry(taskId);
    if (job === null) {
      await undo?.();
      return false;
    }
    this.observer.requeued(job);
    return true;
  }

  /** Retries the jobs that failed before the call. A job that fails again meanwhile is not retried twice. */
  async retryAll(filter: JobSelection, now: number): Promise<number> {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: RowPage = await this.find({
        ...filter,
        status: ['failed'],
        finishedBefore: undefined,
        cursor,
        limit: PAGE_SIZE,
      });
      for (const { taskId, finishedAt } of page.rows)
        if (finishedAt !== null && finishedAt <= now) found.push(taskId);
      cursor = page.cursor;
    } while (cursor !== null);
    let count = 0;
    for (let from = 0; from < found.length; from += RETRY_BATCH) {
      const some = found.slice(from, from + RETRY_BATCH);
      const retried = await Promise.all(some.map((taskId) => this.retry(taskId)));
      count += retried.filter(Boolean).length;
    }
    return count;
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
