import type { IQueueBackend, Job, Queue, Worker, WorkerOptions } from 'bullmq';
import type { BulkConditions, BulkOperation } from '../../control.js';
import type { ScheduleStore } from '../../schedule-store.js';
import type { SqlConnection } from '../../sql-connection.js';
import type { BullJob, KeepRule, QueuedJob } from '../job-mapping.js';
import type { Delayed, JobJournals, JobPlace } from './job-journals.js';

export type { JobPlace };

/** BullMQ's classes, for either server. */
export type AnyQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend>;
export type AnyJob = Job<unknown, unknown, string>;
export type AnyWorker = Worker<unknown, unknown, string, IQueueBackend>;
export interface AnyEvents {
  on(
    event: 'added' | 'active' | 'progress' | 'waiting' | 'delayed' | 'completed' | 'failed',
    listener: (event: { jobId: string }) => void,
  ): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}
export type AnyProcessor = ConstructorParameters<typeof Worker<unknown, unknown, string>>[1];

/** The effect of a call that has failed: none, since it was not sent or the server has rejected it; or it is unknown. */
export type CallFailure = 'not sent' | 'rejected' | 'unknown';

/** A server, and BullMQ's classes for it. It owns the connections that it makes. */
export interface BullServer {
  /** For errors: `Redis` or `PostgreSQL`. */
  readonly name: string;
  /** Whether the server executes calls in the order in which they were made. */
  readonly ordered: boolean;
  /** How many concurrent reads are useful. */
  readonly maxReads: number;
  /** Whether the server sorts all results of a queue whenever it applies a maximum number of results. */
  readonly countsSlowly: boolean;
  /**
   * Resolves when the server answers and can be used. Call it before anything else, and again until it resolves.
   *
   * @throws {FlowrraConfigError} if the server answers and can never be used.
   */
  connect(): Promise<void>;
  /** Rejects unless the server answers and takes jobs. */
  ping(): Promise<void>;
  failureOf(error: unknown): CallFailure;
  /** Whether an error says that the server can never store the given data. */
  cannotStore(error: unknown): boolean;
  /** Whether an error says that the server cannot be reached: the same call may succeed later. */
  isOutage(error: unknown): boolean;
  queue(name: string): AnyQueue;
  worker(name: string, processor: AnyProcessor, options: Partial<WorkerOptions>): AnyWorker;
  events(name: string): AnyEvents;
  /** @param keep The rule for failed jobs. */
  jobs(keep: KeepRule, now: () => number): ServerJobs;
  /** Each call is one atomic step on the server, and rejects with the server's errors. */
  schedules(): ScheduleStore;
  /** Absent if the server has no transactions of an application. */
  transactions?(): TransactionalAdds;
  close(): Promise<void>;
}

/** A job as BullMQ's functions `add_job` and `add_jobs_bulk` of PostgreSQL get it, in JSON. */
export interface JobRecord {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly data: string;
  readonly opts: object;
  readonly priority: number;
  readonly delay: number;
  readonly timestamp: number;
  readonly attempts: number;
  readonly lifo: boolean;
}

/** Additions in transactions of the application, on its own connections to the server. */
export interface TransactionalAdds {
  /** @throws {FlowrraConfigError} if the connection reaches the database, and its role may not use the jobs. */
  isSameDatabase(connection: SqlConnection): Promise<boolean>;
  /**
   * Adds jobs of one queue, with as few statements as possible. A job whose id is known is not added again.
   *
   * @throws {FlowrraConfigError} if the connection reaches another database, and any error of the connection.
   */
  add(connection: SqlConnection, records: readonly JobRecord[]): Promise<void>;
}

/** BullMQ's lists of jobs, by state; `suspended`: the suspended ones of the delayed jobs. */
export type JobList = 'active' | 'waiting' | 'prioritized' | 'delayed' | 'suspended' | 'failed' | 'completed';

/** The new content of a delayed job. */
export interface Debounced {
  /** The job's data, as JSON. */
  readonly data: string;
  /** Milliseconds. */
  readonly delay: number;
  /** The tags in the data. */
  readonly tags: readonly string[];
}

/** The effect of a cancellation. */
export interface CancelAnswer {
  readonly kind: 'cancelled' | 'signalled' | 'finished' | 'unknown';
  /** The text of the first cancellation; `null` for a job that waits and has been told by its journal. */
  readonly text: string | null;
}

/** The lists of jobs of an operation on many jobs; `tag`: the jobs of a tag, in whatever list. */
export type BulkSource = Exclude<JobList, 'suspended'> | 'tag';

/** An operation on many jobs, for the server. */
export interface BulkCall {
  readonly kind: BulkOperation['kind'];
  readonly conditions: BulkConditions;
  readonly dryRun: boolean;
  /** Results of jobs that finished at this time or before count as dropped. */
  readonly expired: number;
  /** The failure text of cancelled jobs. */
  readonly text: string;
}

export interface BulkAnswer {
  /** Where the next step begins; `null` at the end of the list. */
  readonly position: string | null;
  readonly count: number;
  readonly changes: readonly BulkChange[];
}

export interface BulkChange {
  readonly kind: 'retry' | 'cancelled' | 'signalled';
  readonly taskId: string;
  readonly taskName: string;
  readonly retries: number;
  /** The failure text of a cancelled job, also of one that was cancelled before; '' for a job that its journal has told. */
  readonly text: string;
}

/** The submission of a job with a tag, in milliseconds since the epoch, and its id: the order of a tag's jobs. */
export interface TagPosition {
  readonly at: number;
  readonly taskId: string;
}

export type TagEntry = TagPosition;

/**
 * The index from tags to jobs. It may contain jobs that do not exist or no longer have the tag: a reader compares the
 * tags in a job's data.
 */
export interface TaggedJobs {
  /** Notes the tags of jobs that are about to be added by the next call on the same connection; `null` if nothing is to be done. */
  note(queue: string, jobs: readonly QueuedJob[]): Promise<void> | null;
  /** Jobs with a tag, the latest submission first, after a position in that order. */
  list(queue: string, tag: string, before: TagPosition | null, count: number): Promise<TagEntry[]>;
  /** Drops the entries of those of these jobs that do not exist. */
  forget(queue: string, taskIds: readonly string[]): Promise<void>;
  /** Drops entries of jobs that BullMQ has deleted. Call it now and then. */
  sweep(queue: string): Promise<void>;
}

/**
 * Operations for which BullMQ has no call, or only one that could hit a job that another process has
 * just started, finished or released. Each is one atomic step on the server.
 */
export interface ServerJobs {
  readonly tags: TaggedJobs;
  readonly journals: JobJournals;
  /**
   * Fails a waiting job, with `text` as its failure. An active job gets `text` as its deferred failure:
   * BullMQ fails the job with it instead of starting it again. A job to whose journal an attempt has appended does not
   * fail: if it waits, the cancellation is posted to its journal, and it is due; if it is active, the next attempt is told.
   */
  cancel(place: JobPlace, text: string): Promise<CancelAnswer>;
  /** The cancellations of active jobs, in their order; `null` for a job that has none. */
  cancelTexts(places: readonly JobPlace[]): Promise<(string | null)[]>;
  /** Counts a job as cancelled. To be called for a job that ends as cancelled by another way than {@link cancel}. */
  noteCancelled(place: JobPlace): Promise<void>;
  /** The number of failed jobs of a queue that were cancelled. */
  cancelledCount(queue: string): Promise<number>;
  /**
   * Stores progress, as JSON, and further log rows of an active job; the last rows stay. Changes
   * nothing unless `token` holds the lease of the job.
   */
  report(place: JobPlace, token: string, progress: string | null, rows: readonly string[]): Promise<void>;
  /**
   * Counts a start of an active job if `token` holds its lease. Returns the number counted before. Only jobs
   * whose workers have died are counted, from the second start on.
   */
  countStart(place: JobPlace, token: string): Promise<number>;
  /** Removes a finished job; `false` if there is none. */
  remove(place: JobPlace): Promise<boolean>;
  /** Removes those of these jobs that finished at `until` or before. */
  dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void>;
  /** The token of the submission that added each of these jobs, `''` for none; `null` if there is no such job. */
  submissions(queue: string, taskIds: readonly string[]): Promise<readonly (string | null)[]>;
  /** Lets a failed job that was not cancelled wait again, with no attempt made; `false` if there is none. */
  retry(place: JobPlace): Promise<boolean>;
  /** One step of an operation on the jobs of a list. `position` is `null` for the first step. */
  bulk(queue: string, source: BulkSource, call: BulkCall, position: string | null): Promise<BulkAnswer>;
  /**
   * Replaces the content of the job that holds `key` if that job is delayed and was never started, and
   * returns its id. Otherwise the key becomes free, and the answer is `null`.
   */
  debounce(queue: string, key: string, by: Debounced): Promise<string | null>;
  /** The readable part of a job that BullMQ cannot read; `null` if there is no such job. */
  salvage(place: JobPlace): Promise<BullJob | null>;
  /**
   * Makes those active jobs of a queue readable that BullMQ cannot read, notes the unreadable fields
   * in their data, and releases them: the worker that claims one fails it.
   *
   * @param runsHere Jobs to leave out.
   * @returns The number of repaired jobs.
   */
  repair(queue: string, runsHere: (taskId: string) => boolean): Promise<number>;
  /** Makes one active job readable, which stays active. */
  repairOne(place: JobPlace): Promise<void>;
  /** Ids of a list: waiting jobs in the order in which they run, finished jobs from the newest on. */
  list(queue: string, list: JobList, offset: number, count: number): Promise<string[]>;
  /** When jobs come due, and whether they are suspended. */
  delays(places: readonly JobPlace[]): Promise<Delayed[]>;
}
