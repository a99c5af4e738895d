import type { MaybePromise } from '../job/async.js';
import type { TaskResult } from '../job/task-result.js';

/** How to wait for a result. */
export interface WaitOptions {
  /**
   * The longest wait in milliseconds. Afterwards `waitFor` rejects with a `TaskTimeoutError`.
   *
   * @defaultValue no limit
   */
  timeout?: number;
  /**
   * Ends the wait when it is aborted: `waitFor` rejects with its reason.
   *
   * @defaultValue no signal
   */
  signal?: AbortSignal;
}

/**
 * Where results are kept. Extend it to keep them elsewhere: `store`, `get` and `waitFor` are all
 * that is needed. `store` is called at every change of status, in order, and again after it has
 * failed or taken too long, so storing the same result twice must do no harm.
 */
export abstract class ResultBackend {
  /** Keeps the newest state of a job, replacing what was kept for that id. */
  abstract store(taskId: string, result: TaskResult): MaybePromise<void>;
  /** The state that was stored last, or `null` for an id that is unknown. */
  abstract get(taskId: string): MaybePromise<TaskResult | null>;
  /**
   * Settles when the job is finished.
   *
   * @throws {TaskTimeoutError} when `timeout` is over.
   * @throws {ResultNotFoundError} for an id that nobody knows.
   * @throws {ResultExpiredError} for a result that has been dropped.
   */
  abstract waitFor(taskId: string, options?: WaitOptions): Promise<TaskResult>;
  /** Forgets one result; says whether there was one. */
  delete?(taskId: string): MaybePromise<boolean>;
  /** Forgets all results. */
  clear?(): MaybePromise<void>;
  /** Releases connections and timers. */
  close?(): MaybePromise<void>;
}
