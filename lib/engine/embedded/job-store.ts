import type { Clock } from '../../job/clock.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { ResolvedQueue, Retention } from '../../job/queue.js';
import type { Accepted, Attempt, NewJob, JobRow } from '../../job/job.js';
import type { MaybePromise } from '../../job/async.js';
import type { Outcome } from '../../job/outcome.js';
import type { JobControl } from '../control.js';

/**
 * Storage for the embedded engine: a few primitives over jobs. A store decides order and keeps
 * results; when to claim, how many, and what an outcome means is decided above it.
 */
export interface JobStore {
  readonly results: ResultBackend;
  /** Whether jobs outlive the process. What would be lost is drained at a stop. */
  readonly durable: boolean;
  open(config: StoreConfig): MaybePromise<void>;
  /** Told once this process runs jobs: it has to stay alive, and to look out for those of other processes. */
  consume?(): void;
  /** What is done to jobs from outside. It calls `changed` where there may be something to claim afterwards. */
  readonly control: JobControl;
  /** Keeps a job, or finds the one with its id or its key. A promise resolves when the job is safe. */
  insert(job: NewJob, now: number): MaybePromise<Accepted>;
  insertMany(jobs: readonly NewJob[], now: number): MaybePromise<Accepted[]>;
  /** Whether `insert` would find a job that stands in the place of this one. */
  hasStandIn(job: NewJob, now: number): MaybePromise<boolean>;
  /**
   * Marks up to `limit` due jobs of a queue as running and hands them out, in running order: none of
   * a paused queue, and no more than the fleet's concurrency and rate allow.
   */
  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]>;
  /**
   * Called right before an attempt begins, for a store that several processes share. Says `false` if the job has
   * been cancelled since it was claimed: the attempt must not begin, and the store ends the job.
   */
  begins?(attempt: Attempt): boolean;
  /**
   * Applies an outcome: result and acknowledgement in one write. Says `false`, and changes nothing,
   * if the attempt is no longer the job's current one; also if the job was to go on and has been
   * cancelled meanwhile: it is over then.
   */
  settle(attempt: Attempt, outcome: Outcome, now: number): MaybePromise<boolean>;
  /**
   * When to claim next, in milliseconds since the epoch: 0 if a job can be claimed now, `null` if
   * nothing comes due, or while the queue is paused or as many run as may: `changed` is called then.
   */
  nextDue(queue: string): MaybePromise<number | null>;
  /** Unfinished jobs that are not running. */
  pendingCount(): MaybePromise<number>;
  /** Ends unfinished jobs that cannot survive, as `cancelled` for this reason, and says how many there were. */
  abandon(reason: string, now: number): MaybePromise<number>;
  close(): MaybePromise<void>;
}

export interface StoreConfig {
  readonly clock: Clock;
  readonly retention: Retention;
  readonly queues: readonly ResolvedQueue[];
  /**
   * To be called when there may be jobs to claim, or room for more, that nobody here has brought about, and
   * when what `nextDue` has said may come sooner: the clock has been set.
   */
  changed(): void;
  /** To be called when a running attempt has been taken over: whatever it still answers will not count. */
  lost(attempt: Attempt): void;
  /** To be called when an attempt that was handed out here has been cancelled, by whichever process. */
  cancelled(attempt: Attempt, reason: string): void;
  /** To be called when a cancelled job is over, though neither an attempt nor `control.cancel` has said so. */
  ended(job: JobRow): void;
}
