import type { MaybePromise } from '../job/async.js';
import type { TaskResult } from '../job/task-result.js';

/** Options of a wait for a result. */
export interface WaitOptions {
  /** Milliseconds after which the wait rejects with `TaskTimeoutError`. @defaultValue no limit */
  timeout?: number;
  /** If it aborts, the wait rejects at once with its reason. */
  signal?: AbortSignal;
}

/**
 * Stores results. A class that extends it has to implement `store`, `get` and `waitFor`; the cases of
 * `resultBackendConformance` in `flowrra/testing` check it. Flowrra calls `store` at every change of status, in
 * order. It repeats a call that has failed or has taken too long, so storing a result twice must do no harm.
 */
export abstract class ResultBackend {
  /** Stores the current state of a job. It replaces the stored state of this id. */
  abstract store(taskId: string, result: TaskResult): MaybePromise<void>;
  /** The state that was stored last; `null` if the id is unknown. */
  abstract get(taskId: string): MaybePromise<TaskResult | null>;
  /**
   * Resolves with the final state when the job has finished.
   *
   * @throws {TaskTimeoutError} after `timeout` milliseconds.
   * @throws {ResultNotFoundError} if the id is unknown.
   * @throws {ResultExpiredError} if the result has been dropped.
   */
  abstract waitFor(taskId: string, options?: WaitOptions): Promise<TaskResult>;
  /** Deletes one result. Returns whether there was one. */
  delete?(taskId: string): MaybePromise<boolean>;
  /** Deletes all results. */
  clear?(): MaybePromise<void>;
  /** Closes connections and stops timers. */
  close?(): MaybePromise<void>;
}
