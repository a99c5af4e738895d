import type { TaskStatus } from '../job/task-result.js';
import type { JobState } from '../job/task-snapshot.js';
import type { Attempt, MaybePromise, Metadata } from './engine.js';

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
  job(taskId: string): MaybePromise<JobDossier | null>;
  /** Jobs page by page, each once if nothing changes meanwhile. */
  find(query: JobQuery): MaybePromise<JobPage>;
  counts(): MaybePromise<readonly QueueCounts[]>;
  /**
   * Puts a failed job back into line, with all its retries; its errors and logs stay. Returns it as it is
   * then, or `null`, and changes nothing, if no failed job has that id.
   */
  retry(taskId: string): MaybePromise<JobInfo | null>;
  /** Forgets a finished job. Returns `false`, and changes nothing, if no finished job has that id. */
  remove(taskId: string): MaybePromise<boolean>;
  /** Hands out no more jobs of a queue, in any process, until it is resumed; what runs goes on. */
  pause(queue: string): MaybePromise<void>;
  resume(queue: string): MaybePromise<void>;
}

/** What became of a cancellation. */
export type Cancellation =
  /** It waited, and is over. */
  | { readonly kind: 'cancelled'; readonly job: JobInfo }
  /** It runs, and is told. */
  | { readonly kind: 'told' }
  /** It has ended already. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'unknown' };

/** What an attempt says while it runs: what has come since the last report. */
export interface JobReport {
  /** Checked plain data, in the place of what was reported before; `undefined` for no news. */
  readonly progress: unknown;
  /** Further lines, oldest first. An engine keeps the last {@link MAX_LOG_LINES} of a job. */
  readonly lines: readonly LogLine[];
}

export const MAX_LOG_LINES = 200;

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  readonly line: string;
}

/** A job as lists show it. */
export interface JobInfo extends JobState {
  readonly queue: string;
  readonly priority: number;
  /** When it comes due, in milliseconds since the epoch, while it is delayed or waits for a retry; else `null`. */
  readonly dueAt: number | null;
  readonly metadata: Metadata | undefined;
  /** Names of fields that cannot be read, and are shown empty; absent for none. */
  readonly unreadable?: readonly string[] | undefined;
}

/** A job with all that is known of it. */
export interface JobDossier extends JobInfo {
  /** A copy; `null` if they are not kept any more, or cannot be read. */
  readonly args: readonly unknown[] | null;
  readonly logs: readonly LogLine[];
}

export interface JobQuery {
  /** `undefined` for any. */
  readonly status: readonly TaskStatus[] | undefined;
  readonly task: string | undefined;
  readonly queue: string | undefined;
  /** When it was submitted: from then on, and before then, in milliseconds since the epoch. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** Where the page before has ended; `null` for the first. */
  readonly cursor: string | null;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** Looking is cut off after a bounded number of jobs, so that a page may hold fewer than were asked for, even none. */
export interface JobPage {
  readonly jobs: readonly JobInfo[];
  /** For the next page; `null` at the end. */
  readonly cursor: string | null;
}

/** How many jobs of a queue there are, by their status. */
export interface QueueCounts extends Readonly<Record<TaskStatus, number>> {
  /** The queue's name. */
  readonly queue: string;
  /** Whether none of its jobs is started, in any process, until it is resumed. */
  readonly paused: boolean;
}
