import type { Clock } from '../../job/clock.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { ResolvedQueue, Retention } from '../../job/queue.js';
import type { Accepted, Attempt, NewJob, JobRow } from '../../job/job.js';
import type { MaybePromise } from '../../job/async.js';
import type { Outcome } from '../../job/outcome.js';
import type { JobControl } from '../control.js';
import type { JournalStore } from '../journal-store.js';
import type { ScheduleStore } from '../schedule-store.js';

/** Storage for the embedded engine. */
export interface JobStore {
  /** Whether jobs outlive the process. An engine runs jobs that would be lost before it stops. */
  readonly durable: boolean;
  /** Whether several processes may use the storage, and whether `claim` applies the limits of all processes. */
  readonly supports: ReadonlySet<'shared' | 'fleetLimits' | 'schedules' | 'journals'>;
  /** May be called again after the open store has been closed; a store that is not durable keeps its jobs meanwhile. */
  open(config: StoreConfig): MaybePromise<OpenStore>;
}

export interface StoreConfig {
  readonly clock: Clock;
  readonly retention: Retention;
  readonly queues: readonly ResolvedQueue[];
  notify(event: StoreEvent): void;
}

export type StoreEvent =
  /**
   * There may be jobs to claim, or room for more, without an action of this engine; or the answer of
   * `nextDue` may be outdated, since the clock was set.
   */
  | { readonly type: 'changed' }
  /** Another process has claimed the job of an attempt that runs here: its outcome does not count. */
  | { readonly type: 'lost'; readonly attempt: Attempt }
  /** The job of an attempt that was claimed here has been cancelled, by any process. */
  | { readonly type: 'cancelled'; readonly attempt: Attempt; readonly reason: string }
  /** A job has ended as cancelled, and neither `settle` nor the answer of `control.cancel` tells it. */
  | { readonly type: 'ended'; readonly row: JobRow };

/** One object for all, since a store may send it often. */
export const CHANGED: StoreEvent = { type: 'changed' };

/**
 * A few primitives over jobs. The store decides the order of jobs and stores results; the embedded
 * engine decides when it claims, and how many.
 */
export interface OpenStore {
  readonly results: ResultBackend;
  /** Sends `changed` if there may be jobs to claim afterwards. */
  readonly control: JobControl;
  /** Present if the store supports `schedules`. */
  readonly schedules?: ScheduleStore;
  /** Present if the store supports `journals`. Sends `changed` if a job comes due. */
  readonly journals?: JournalStore;
  /** Called when this process starts to run jobs: it stays alive, and watches for jobs of other processes. */
  consume?(): void;
  /**
   * Calls `changed` soon after another process has changed any job, until the returned function is called. Absent
   * for a store that no other process shares.
   */
  watch?(changed: () => void): () => void;
  /** Stores a job, or finds the existing job with its id or its key. A promise resolves when the job is safe. */
  insert(job: NewJob, now: number): MaybePromise<Accepted>;
  insertMany(jobs: readonly NewJob[], now: number): MaybePromise<Accepted[]>;
  /** Whether `insert` would find an existing job. */
  hasExisting(job: NewJob, now: number): MaybePromise<boolean>;
  /**
   * Marks up to `limit` due jobs of a queue as running and returns their attempts, in running order: none of
   * a paused queue, and no more than `fleetConcurrency` and `fleetRateLimit` allow, if the store supports them.
   */
  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]>;
  /**
   * Called right before an attempt begins, for a store that several processes share. `false` if the job has
   * been cancelled since it was claimed: the attempt must not begin, and the store ends the job.
   */
  begins?(attempt: Attempt): boolean;
  /**
   * Stores the outcome: result and acknowledgement in one write. `false`, and nothing changes, if the
   * attempt is no longer the job's current one. Also `false` if the job was to wait again and has been
   * cancelled meanwhile: then it ends as cancelled.
   */
  settle(attempt: Attempt, outcome: Outcome, now: number): MaybePromise<boolean>;
  /**
   * When to claim next, in milliseconds since the epoch: 0 if a job can be claimed now; `null` if no
   * job is delayed, the queue is paused, or the fleet's limit is reached: `changed` follows.
   */
  nextDue(queue: string): MaybePromise<number | null>;
  /** The number of unfinished jobs that are neither running nor suspended. */
  pendingCount(): MaybePromise<number>;
  /**
   * Called once no attempt runs any more. A durable store releases claimed jobs that have not begun,
   * and returns 0. Another store ends its unfinished jobs as cancelled for this reason and returns their number.
   */
  stop(reason: string, now: number): MaybePromise<number>;
  close(): MaybePromise<void>;
}
