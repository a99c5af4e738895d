import type { MaybePromise } from '../job/async.js';
import type { Attempt, JobReport, JobRow } from '../job/job.js';
import type { JobQuery, QueueCounts, RowPage } from '../job/query.js';

/**
 * Queries and operations on jobs and queues, from any process that shares the engine. The cost of
 * each call is bounded, whatever the number of jobs.
 */
export interface JobControl {
  /**
   * Ends a waiting, delayed or retrying job at once. The signal of a running job is aborted within a
   * second, in any process, and the job ends as cancelled unless it ends before. A second
   * cancellation changes nothing.
   */
  cancel(taskId: string, reason: string): MaybePromise<Cancellation>;
  /** Stores progress and log lines of a running attempt. Changes nothing if the attempt is no longer the job's current one. */
  report(attempt: Attempt, report: JobReport): MaybePromise<void>;
  /** A job with arguments and logs; `null` if no job has that id, or its result has been dropped. */
  job(taskId: string): MaybePromise<JobRow | null>;
  /** One page of jobs. Over all pages each job appears once, if no job changes meanwhile. */
  find(query: JobQuery): MaybePromise<RowPage>;
  counts(): MaybePromise<readonly QueueCounts[]>;
  /**
   * Lets a failed job wait again, with all its retries; its errors and logs stay. Returns the waiting
   * job; `null`, and nothing changes, if no failed job has that id.
   */
  retry(taskId: string): MaybePromise<JobRow | null>;
  /** Deletes a finished job. `false`, and nothing changes, if no finished job has that id. */
  remove(taskId: string): MaybePromise<boolean>;
  /** Starts no more jobs of a queue, in any process, until `resume`. Running jobs go on. */
  pause(queue: string): MaybePromise<void>;
  resume(queue: string): MaybePromise<void>;
}

/** The effect of a cancellation. */
export type Cancellation =
  /** The job waited, and has ended. */
  | { readonly kind: 'cancelled'; readonly job: JobRow }
  /** The job runs, and its signal is aborted. */
  | { readonly kind: 'signalled' }
  /** The job had ended before. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'unknown' };
