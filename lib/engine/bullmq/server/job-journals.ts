import type { Journal, JournalEntry } from '../../../job/journal/journal.js';
import type { PostAnswer } from '../../journal-store.js';

/** A job of a queue. */
export interface JobPlace {
  readonly queue: string;
  readonly taskId: string;
  /** Whether an attempt may have appended to the job's journal. Absent for no. */
  readonly isJournalled?: boolean;
}

/**
 * The due time of a suspended job that comes due by a message only, in milliseconds since the epoch: the latest one
 * that BullMQ can store on Redis, in 2039.
 */
export const NEVER_DUE = 2 ** 41 - 1;

/** When a suspended job comes due. A later time would count as never. */
export function dueAfter(delay: number, now: number): number {
  return delay === Infinity ? NEVER_DUE : Math.min(Math.ceil(now + delay), NEVER_DUE - 1);
}

/** A delayed job. */
export interface Delayed {
  /** Milliseconds since the epoch; `null` for a job that is not delayed, and for one that comes due by a message only. */
  readonly dueAt: number | null;
  readonly isSuspended: boolean;
}

export const NOT_DELAYED: Delayed = Object.freeze({ dueAt: null, isSuspended: false });

/** @param due The due time that the server has stored. */
export function delayedAt(due: number, isSuspended: boolean): Delayed {
  return { dueAt: isSuspended && due >= NEVER_DUE ? null : due, isSuspended };
}

/** The state of a job that has been started before. */
export interface Resumed {
  /** Whether an attempt has appended to the job's journal. */
  readonly isResumed: boolean;
  /** The text of a cancellation that the attempt before did not hear of; `null` for none. */
  readonly cancelText: string | null;
}

/**
 * The journals of a server's jobs, and the jobs that are suspended. Each call is one atomic step on the server.
 *
 * A suspended job is a delayed job of BullMQ with a mark. The mark holds until the job comes due: it names the due time,
 * so that a mark that was left behind does not count.
 */
export interface JobJournals {
  /** `null` if there is no such job. */
  read(place: JobPlace): Promise<Journal | null>;
  /**
   * Writes entries; `false`, and nothing changes, unless `token` holds the lease of the job. From then on, BullMQ does
   * not end the job by a deferred failure: a cancellation waits for {@link resume}.
   */
  append(place: JobPlace, token: string, entries: readonly JournalEntry[]): Promise<boolean>;
  /** @param expired Jobs that finished at this time or before count as unknown. */
  post(place: JobPlace, entry: JournalEntry, expired: number): Promise<PostAnswer>;
  /** Deletes entries of a failed job; `false` for a job in another state. */
  forget(place: JobPlace, keys: readonly string[], mark: JournalEntry): Promise<boolean>;
  /**
   * Suspends an active job; `false`, and nothing changes, unless `token` holds its lease. If more than `seen` entries
   * were posted, or the job was cancelled, it waits instead, and is due.
   *
   * @param delay Milliseconds; `Infinity` for a job that comes due by a message only.
   */
  suspend(place: JobPlace, token: string, delay: number, seen: number): Promise<boolean>;
  /** To be called at the start of a job that has been started before. */
  resume(place: JobPlace): Promise<Resumed>;
  /** The number of suspended jobs of a queue. */
  suspendedCount(queue: string): Promise<number>;
}
