import type { MaybePromise } from '../job/async.js';
import type { Attempt, JobReport, JobRow, TaskStatus } from '../job/job.js';
import type { JobConditions, QueueCounts, RowPage, JobQuery } from '../job/query.js';

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
  /**
   * The same operation on each job that meets the conditions, in steps of a bounded number of jobs: a step begins when
   * the next one is asked for. Jobs that cease to meet the conditions meanwhile are left out. Of one call, no job is
   * counted twice; a further call goes on where an earlier one has ended early.
   *
   * @param conditions `status` names only statuses to which the operation applies.
   * @param dryRun Whether the jobs are only counted.
   */
  bulk(operation: BulkOperation, conditions: BulkConditions, dryRun: boolean): BulkSteps;
  /** Starts no more jobs of a queue, in any process, until `resume`. Running jobs go on. */
  pause(queue: string): MaybePromise<void>;
  resume(queue: string): MaybePromise<void>;
}

/** An operation on many jobs. */
export type BulkOperation =
  | { readonly kind: 'retry' }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'remove' };

export interface BulkConditions extends JobConditions {
  readonly status: readonly TaskStatus[];
}

export type BulkSteps = Iterable<BulkStep> | AsyncIterable<BulkStep>;

export interface BulkStep {
  /** The number of jobs that were retried, cancelled, signalled or removed; of a dry run, that would be. */
  readonly count: number;
  /** The jobs that wait again, or have ended as cancelled. */
  readonly changed: readonly ChangedJob[];
}

/** The part of a job that its event tells. */
export type ChangedJob = Pick<JobRow, 'taskId' | 'taskName' | 'queue' | 'retries' | 'reason'>;

/** The effect of a cancellation. */
export type Cancellation =
  /** The job waited, and has ended. */
  | { readonly kind: 'cancelled'; readonly job: JobRow }
  /** The job runs, and its signal is aborted. */
  | { readonly kind: 'signalled' }
  /** The job had ended before. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'unknown' };
