import type { Clock } from '../../core/clock.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { Attempt, MaybePromise, NewJob, Outcome, Retention } from '../engine.interface.js';

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
  /** Keeps a job, or finds the one with its id, and returns the id. A promise resolves when the job is safe. */
  insert(job: NewJob, now: number): MaybePromise<string>;
  insertMany(jobs: readonly NewJob[], now: number): MaybePromise<string[]>;
  /** Marks up to `limit` due jobs of a queue as running and hands them out, in running order. */
  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]>;
  /**
   * Applies an outcome: result and acknowledgement in one write. Says `false`, and changes nothing,
   * if the attempt is no longer the job's current one.
   */
  settle(attempt: Attempt, outcome: Outcome, now: number): MaybePromise<boolean>;
  /** When the next job of a queue is due, in milliseconds since the epoch: 0 for one that is due now, `null` for none. */
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
  readonly queues: readonly string[];
  /** To be called when there may be jobs to claim, or room for more, that nobody here has brought about. */
  changed(): void;
  /** To be called when a running attempt has been taken over: whatever it still answers will not count. */
  lost(attempt: Attempt): void;
}
