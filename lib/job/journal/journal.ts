/** One entry of a job's journal, as an engine stores it. An engine reads only the key. */
export interface JournalEntry {
  /** Unique in the journal of its job: 1 to 400 characters. */
  readonly key: string;
  /** JSON text. */
  readonly body: string;
}

/** The journal of a durable job: the steps that it has finished, and the messages that others have posted to it. */
export interface Journal {
  /** Oldest first. An entry that was replaced keeps its position. */
  readonly entries: readonly JournalEntry[];
  /** The number of entries that were ever posted. */
  readonly posts: number;
}

export const EMPTY_JOURNAL: Journal = Object.freeze({ entries: [], posts: 0 });

/** The most entries that can be posted to one job. */
export const MAX_POSTS = 25_000;

/** The number of posted entries that delay the next wake-up by one millisecond. */
export const POSTS_PER_MS = 10;
export const MAX_WAKE_DELAY_MS = 1_000;

/**
 * Milliseconds between an entry that is posted to a suspended job and the job's wake-up. Each attempt reads the whole
 * journal: with a long one, several messages share a wake-up.
 *
 * @param posts The number of entries that were ever posted.
 */
export function wakeDelay(posts: number): number {
  return Math.min(MAX_WAKE_DELAY_MS, Math.trunc(posts / POSTS_PER_MS));
}

/** The key of the entry by which a waiting job with a journal is cancelled: its next attempt undoes its steps. */
export const CANCEL_KEY = 'cancel';

export function cancelEntry(reason: string): JournalEntry {
  return { key: CANCEL_KEY, body: JSON.stringify({ reason }) };
}
