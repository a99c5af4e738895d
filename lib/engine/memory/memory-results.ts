import type { FinishedTaskResult, TaskResult } from '../../job/task-result.js';
import { taskResultOf } from '../../job/task-snapshot.js';
import { AbortListeners } from '../../results/abort-listeners.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import { waitUntil } from '../../results/wait-until.js';
import type { JobRecord } from './job-record.js';

/** What the results need of the store. */
interface Jobs {
  readonly clock: Parameters<typeof waitUntil>[2];
  find(taskId: string): JobRecord | undefined;
  missing(taskId: string): Error;
}

/** The memory store's results: snapshots of its own records, so nothing is kept twice. */
export class MemoryResults extends ResultBackend {
  private readonly aborts = new AbortListeners();

  constructor(private readonly jobs: Jobs) {
    super();
  }

  /** The record is the result already. */
  store(): void {}

  get(taskId: string): TaskResult | null {
    const job = this.jobs.find(taskId);
    return job ? taskResultOf(job.state()) : null;
  }

  waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const job = this.jobs.find(taskId);
    if (job === undefined) return Promise.reject(this.jobs.missing(taskId));
    if (job.finished) return Promise.resolve(taskResultOf(job.state()) as FinishedTaskResult);
    if (options.timeout === undefined && options.signal === undefined) {
      return new Promise((resolve) => job.addWaiter(resolve));
    }
    return waitUntil(taskId, options, this.jobs.clock, this.aborts, (resolve) => {
      job.addWaiter(resolve);
      return () => job.removeWaiter(resolve);
    });
  }
}
