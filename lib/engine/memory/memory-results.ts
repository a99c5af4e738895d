import type { Clock } from '../../job/clock.js';
import { type FinishedTaskResult, type TaskResult, taskResultOf } from '../../job/task-result.js';
import { AbortListeners, waitUntil } from '../../results/wait-until.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import type { JobRecord } from './job-record.js';
import { withoutWaiter, withWaiter } from './waiter-list.js';

/** The part of the store that the results use. */
interface Jobs {
  readonly clock: Clock;
  find(taskId: string): JobRecord | undefined;
  missing(taskId: string): Error;
}

/** The results of the memory store: copies of its job records, so nothing is stored twice. */
export class MemoryResults extends ResultBackend {
  private readonly aborts = new AbortListeners();

  constructor(private readonly jobs: Jobs) {
    super();
  }

  /** The job record is the result. */
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
      return new Promise((resolve) => {
        job.waiters = withWaiter(job.waiters, resolve);
      });
    }
    return waitUntil(taskId, options, this.jobs.clock, this.aborts, (resolve) => {
      job.waiters = withWaiter(job.waiters, resolve);
      return () => {
        job.waiters = withoutWaiter(job.waiters, resolve);
      };
    });
  }
}
