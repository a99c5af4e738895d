import {
  type Clock,
  ExecutorNotRunningError,
  type FinishedTaskResult,
  ResultBackend,
  ResultNotFoundError,
  type TaskResult,
  type WaitOptions,
} from 'flowrra';
import { AbortListeners, droppedResult, taskResultOf, Waiters, waitUntil } from 'flowrra/engine';
import type { DirectoryJobs } from './directory-jobs.js';

/** The results in the files of the jobs. */
export class DirectoryResults extends ResultBackend {
  private readonly waiters = new Waiters<string>();
  private readonly aborts = new AbortListeners();

  constructor(
    private readonly jobs: Pick<DirectoryJobs, 'find' | 'row' | 'wasDropped'>,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** The engine stores the result with the outcome. */
  store(): void {}

  get(taskId: string): TaskResult | null {
    const job = this.jobs.find(taskId);
    return job === undefined ? null : taskResultOf(this.jobs.row(job));
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const result = this.get(taskId);
    if (result?.isComplete) return result;
    if (result !== null)
      return waitUntil(taskId, options, this.clock, this.aborts, (waiter) =>
        this.waiters.add(taskId, waiter),
      );
    throw this.jobs.wasDropped(taskId)
      ? droppedResult(taskId)
      : new ResultNotFoundError('The directory has no job with this id.');
  }

  /** A job has finished. */
  ended(taskId: string): void {
    for (const waiter of this.waiters.take(taskId)) waiter(this.get(taskId) as FinishedTaskResult);
  }

  override close(): void {
    const stopped = (): Promise<never> =>
      Promise.reject(new ExecutorNotRunningError('The executor stopped before this job finished.'));
    for (const waiter of this.waiters.takeAll()) waiter(stopped());
  }
}
