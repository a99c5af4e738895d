import type { Cancellation, JobControl } from '../engine/control.js';
import type { RowPage, JobQuery, QueueCounts } from '../job/query.js';
import { ResultNotFoundError } from '../job/errors.js';
import { type JobDetails, jobDetailsOf } from '../job/job-view.js';
import { showValue } from '../job/show-value.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';

const FOUND_AT_ONCE = 100;
/** So many failed jobs are put back at a time. */
const RETRIED_AT_ONCE = 20;

/** What is done to jobs from outside: the engine does it, and whoever else has to hears of it. */
export class JobOperations {
  constructor(
    private readonly control: JobControl,
    private readonly observer: RunObserver,
    private readonly recorder: ResultRecorder | null,
  ) {}

  /** Whether the job is over, or has been told to end: `false` if it had ended before. */
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
          `No job ${showValue(taskId)} is known, or its result has been dropped, so there is nothing to cancel.`,
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

  /** Those that failed before the call; a job that fails again meanwhile is left. */
  async retryAll(filter: Omit<JobQuery, 'status' | 'cursor' | 'limit'>, now: number): Promise<number> {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: RowPage = await this.find({ ...filter, status: ['failed'], cursor, limit: FOUND_AT_ONCE });
      for (const { taskId, finishedAt } of page.rows)
        if (finishedAt !== null && finishedAt <= now) found.push(taskId);
      cursor = page.cursor;
    } while (cursor !== null);
    let count = 0;
    for (let from = 0; from < found.length; from += RETRIED_AT_ONCE) {
      const some = found.slice(from, from + RETRIED_AT_ONCE);
      const retried = await Promise.all(some.map((taskId) => this.retry(taskId)));
      count += retried.filter(Boolean).length;
    }
    return count;
  }

  /**
   * A backend hears of it before the engine puts the job back, or it would hear of the next attempt
   * first. Returns what undoes that.
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
