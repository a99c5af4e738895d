import type {
  Cancellation,
  JobControl,
  JobInfo,
  JobPage,
  JobQuery,
  QueueCounts,
} from '../engine/job-control.interface.js';
import { ResultNotFoundError } from './errors.js';
import { type JobDetails, jobDetailsOf } from './job-view.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';

/** Failed jobs are put back this many at a time. */
const RETRIED_AT_ONCE = 100;

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
      case 'told':
        return true;
      case 'finished':
        return false;
      case 'unknown':
        throw new ResultNotFoundError(
          `No job ${taskId} is known, or its result has been dropped, so there is nothing to cancel.`,
        );
    }
  }

  async get(taskId: string): Promise<JobDetails | null> {
    const dossier = await this.control.job(taskId);
    return dossier === null ? null : jobDetailsOf(dossier);
  }

  async find(query: JobQuery): Promise<JobPage> {
    return this.control.find(query);
  }

  async counts(): Promise<readonly QueueCounts[]> {
    return this.control.counts();
  }

  async retry(taskId: string): Promise<boolean> {
    const job = await this.control.retry(taskId);
    if (job === null) return false;
    await this.recorder?.changed(job);
    this.observer.redriven(job);
    return true;
  }

  /** Those that failed before the call, page by page; a job that fails again meanwhile is left. */
  async retryAll(filter: Omit<JobQuery, 'status' | 'cursor' | 'limit'>, now: number): Promise<number> {
    const found: JobInfo[] = [];
    let cursor: string | null = null;
    do {
      const page: JobPage = await this.find({
        ...filter,
        status: ['failed'],
        cursor,
        limit: RETRIED_AT_ONCE,
      });
      found.push(...page.jobs.filter(({ finishedAt }) => finishedAt !== null && finishedAt <= now));
      cursor = page.cursor;
    } while (cursor !== null);
    let count = 0;
    for (const { taskId } of found) if (await this.retry(taskId)) count++;
    return count;
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
