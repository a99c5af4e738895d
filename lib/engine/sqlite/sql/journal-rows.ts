import { isFinal, type TaskStatus } from '../../../job/job.js';
import {
  cancelEntry,
  EMPTY_JOURNAL,
  type Journal,
  type JournalEntry,
  MAX_POSTS,
  wakeDelay,
} from '../../../job/journal/journal.js';
import type { PostAnswer } from '../../journal-store.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';
import { timeAfter } from './job-row.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** Entries of deleted jobs are deleted in steps of this many. */
const MAX_DELETED = 500;

interface HeadRow {
  readonly status: TaskStatus;
  readonly appended: number | null;
  readonly posts: number | null;
}

/** Reads and writes `journals`, and the columns of `jobs` that belong to a journal. Jobs are named by their rows. */
export class JournalRows {
  private readonly head;
  private readonly allEntries;
  private readonly current;
  private readonly setAppended;
  private readonly putEntry;
  private readonly addEntry;
  private readonly hasEntry;
  private readonly countPost;
  private readonly wakeBy;
  private readonly place;
  private readonly keepMark;
  private readonly deleteEntry;
  private readonly firstDropped;
  private readonly deleteSome;
  private readonly forgetDropped;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
  ) {
    this.head = database.prepare<HeadRow>('SELECT status, appended, posts FROM jobs WHERE id = ?');
    this.allEntries = database.prepare<JournalEntry>(
      'SELECT key, body FROM journals WHERE job = ? ORDER BY number',
    );
    this.current = database.prepare<Pick<HeadRow, 'appended'>>(
      `SELECT appended FROM jobs WHERE id = ? AND claims = ? AND status = 'running'`,
    );
    this.setAppended = database.prepare('UPDATE jobs SET appended = 1 WHERE id = ?');
    this.putEntry = database.prepare(
      `INSERT INTO journals (job, key, number, body) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET body = excluded.body`,
    );
    this.addEntry = database.prepare(
      'INSERT OR IGNORE INTO journals (job, key, number, body) VALUES (?, ?, ?, ?)',
    );
    this.hasEntry = database.prepare('SELECT 1 FROM journals WHERE job = ? AND key = ?');
    this.countPost = database.prepare('UPDATE jobs SET posts = ? WHERE id = ?');
    this.wakeBy = database.prepare(
      `UPDATE jobs SET due_at = ?
       WHERE id = ? AND status = 'suspended' AND place IS NULL AND (due_at IS NULL OR due_at > ?)`,
    );
    this.place = database.prepare('UPDATE jobs SET place = ?, due_at = NULL WHERE id = ? AND place IS NULL');
    this.keepMark = database.prepare(
      'UPDATE jobs SET cancelling = NULL, posts = nullif(coalesce(posts, 0) + ?, 0) WHERE id = ?',
    );
    this.deleteEntry = database.prepare('DELETE FROM journals WHERE job = ? AND key = ?');
    this.firstDropped = database.prepare<{ job: number }>('SELECT job FROM dropped_journals LIMIT 1');
    this.deleteSome = database.prepare(
      'DELETE FROM journals WHERE job = ? AND key IN (SELECT key FROM journals WHERE job = ? LIMIT ?)',
    );
    this.forgetDropped = database.prepare('DELETE FROM dropped_journals WHERE job = ?');
  }

  read(job: number): Journal {
    // Before the entries: if another process posts between the two reads, the job is woken once more than needed.
    const posts = this.head.get(job)?.posts ?? 0;
    const entries = this.allEntries.all(job);
    return entries.length === 0 && posts === 0 ? EMPTY_JOURNAL : { entries, posts };
  }

  /** The number of entries that were ever posted. */
  posts(job: number): number {
    return this.head.get(job)?.posts ?? 0;
  }

  isAppended(job: number): boolean {
    return (this.head.get(job)?.appended ?? null) !== null;
  }

  /** Returns `false`, and changes nothing, if the attempt is no longer the job's current one. */
  append({ row: { id, claims } }: SqliteAttempt, entries: readonly JournalEntry[]): boolean {
    const head = this.current.get(id, claims);
    if (head === undefined) return false;
    if (head.appended === null) this.setAppended.run(id);
    for (const { key, body } of entries) this.putEntry.run(id, key, this.counters.next(), body);
    return true;
  }

  /** Adds an entry of others. `isWoken`: the job comes due earlier than before. */
  post(job: number, { key, body }: JournalEntry, now: number): { answer: PostAnswer; isWoken: boolean } {
    const head = this.head.get(job);
    if (head === undefined) return notPosted('unknown');
    if (isFinal(head.status)) return notPosted('finished');
    const posts = (head.posts ?? 0) + 1;
    if (posts > MAX_POSTS) return notPosted(this.hasEntry.get(job, key) === undefined ? 'full' : 'known');
    if (this.addEntry.run(job, key, this.counters.next(), body) === 0) return notPosted('known');
    this.countPost.run(posts, job);
    const dueAt = timeAfter(now, wakeDelay(posts));
    const isWoken = head.status === 'suspended' && this.wakeBy.run(dueAt, job, dueAt) > 0;
    return { answer: 'posted', isWoken };
  }

  /**
   * Moves the cancellation of an unfinished job into its journal, where the next attempt finds it. A job is cancelled
   * even if no more entries can be posted to it. Returns `false` if there was such an entry before.
   */
  postCancellation(job: number, reason: string): boolean {
    const { key, body } = cancelEntry(reason);
    const added = this.addEntry.run(job, key, this.counters.next(), body);
    this.keepMark.run(added, job);
    return added > 0;
  }

  /** A waiting job is due from now on. */
  wake(job: number): void {
    this.place.run(this.counters.next(), job);
  }

  /** Returns `false`, and changes nothing, if the job has not failed. */
  forget(job: number, keys: readonly string[], mark: JournalEntry): boolean {
    if (this.head.get(job)?.status !== 'failed') return false;
    for (const key of keys) this.deleteEntry.run(job, key);
    this.putEntry.run(job, mark.key, this.counters.next(), mark.body);
    return true;
  }

  /** Whether entries of deleted jobs are left. */
  get hasDropped(): boolean {
    return this.firstDropped.get() !== undefined;
  }

  /** Deletes entries of a deleted job. Returns whether there may be more. */
  deleteDropped(): boolean {
    const dropped = this.firstDropped.get();
    if (dropped === undefined) return false;
    const { job } = dropped;
    if (this.deleteSome.run(job, job, MAX_DELETED) < MAX_DELETED) this.forgetDropped.run(job);
    return true;
  }
}

function notPosted(answer: PostAnswer): { answer: PostAnswer; isWoken: boolean } {
  return { answer, isWoken: false };
}
