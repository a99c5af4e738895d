import type { MaybePromise } from '../job/async.js';
import type { Attempt, JobReport, JobRow } from '../job/job.js';
import type { JobQuery, QueueCounts, RowPage } from '../job/query.js';

/**
 * What is done to jobs and queues from outside, by any process that shares the engine, and what is
 * asked about them. Every answer is bounded in cost, however many jobs there are.
 */
export interface JobControl {
  /**
   * Ends a job that waits, is delayed or is to be retried, at once. One that runs is told by its
   * abort handle, within a second wherever that is, and ends as cancelled unless it ends before.
   * Cancelling again changes nothing.
   */
  cancel(taskId: string, reason: string): MaybePromise<Cancellation>;
  /** Keeps what a running attempt says of itself. Changes nothing if the job is not that attempt's any more. */
  report(attempt: Attempt, report: JobReport): MaybePromise<void>;
  /** A job with all that is known of it; `null` if there is none of that id, or its result has been dropped. */
  job(taskId: string): MaybePromise<JobRow | null>;
  /** Jobs page by page, each once if nothing changes meanwhile. */
  find(query: JobQuery): MaybePromise<RowPage>;
  counts(): MaybePromise<readonly QueueCounts[]>;
  /**
   * Puts a failed job back into line, with all its retries; its errors and logs stay. Returns it as it is
   * then, or `null`, and changes nothing, if no failed job has that id.
   */
  retry(taskId: string): MaybePromise<JobRow | null>;
  /** Forgets a finished job. Returns `false`, and changes nothing, if no finished job has that id. */
  remove(taskId: string): MaybePromise<boolean>;
  /** Hands out no more jobs of a queue, in any process, until it is resumed; what runs goes on. */
  pause(queue: string): MaybePromise<void>;
  resume(queue: string): MaybePromise<void>;
}

/** What became of a cancellation. */
export type Cancellation =
  /** It waited, and is over. */
  | { readonly kind: 'cancelled'; readonly job: JobRow }
  /** It runs, and is told. */
  | { readonly kind: 'told' }
  /** It has ended already. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'unknown' };
