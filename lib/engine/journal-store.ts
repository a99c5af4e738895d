import type { MaybePromise } from '../job/async.js';
import type { Attempt } from '../job/job.js';
import type { Journal, JournalEntry } from '../job/journal/journal.js';

/**
 * The journals of durable jobs. A journal belongs to its job: it is deleted with it.
 *
 * An attempt appends entries, and may end as `suspended`. Then its job waits with the status `suspended`, until the
 * outcome's `delay` is over or an entry is posted.
 */
export interface JournalStore {
  /**
   * Whether the retry of a failed job deletes the entry `ending`. An engine that stores the errors of an attempt before
   * its outcome must do so: after a crash between the two writes, the job looks like one that was retried.
   *
   * @defaultValue `false`
   */
  readonly forgetsEnding?: boolean;
  /** Empty for a job without a journal, and for an unknown id. */
  read(taskId: string): MaybePromise<Journal>;
  /**
   * Writes entries of a running attempt, each in place of the entry with the same key. `false`, and nothing changes, if
   * the attempt is no longer the job's current one. A promise resolves when the entries are as safe as a job.
   */
  append(attempt: Attempt, entries: readonly JournalEntry[]): MaybePromise<boolean>;
  /**
   * Adds an entry from outside of the job's attempts, unless there is one with the same key; that one stays. A suspended
   * job comes due {@link wakeDelay} milliseconds later, if it is not due before. A promise resolves when the entry is
   * as safe as a job.
   */
  post(taskId: string, entry: JournalEntry): MaybePromise<PostAnswer>;
  /**
   * Deletes entries of a failed job, and writes one, in place of that with the same key. `false`, and nothing changes,
   * for a job in another state.
   */
  forget(taskId: string, keys: readonly string[], mark: JournalEntry): MaybePromise<boolean>;
}

export type PostAnswer =
  | 'posted'
  /** There was an entry with that key. */
  | 'known'
  /** {@link MAX_POSTS} entries have been posted to the job. */
  | 'full'
  /** The job has ended. */
  | 'finished'
  | 'unknown';
