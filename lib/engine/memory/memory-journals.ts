import type { Clock } from '../../job/clock.js';
import type { Attempt } from '../../job/job.js';
import {
  EMPTY_JOURNAL,
  type Journal,
  type JournalEntry,
  MAX_POSTS,
  wakeDelay,
} from '../../job/journal/journal.js';
import type { JournalStore, PostAnswer } from '../journal-store.js';
import type { JobRecord } from './job-record.js';

/** The part of the store that journals use. */
export interface JournalledJobs {
  readonly clock: Clock;
  find(taskId: string): JobRecord | undefined;
  changed(): void;
}

/** The journal of one job. */
export class MemoryJournal {
  readonly byKey = new Map<string, JournalEntry>();
  posts = 0;
  /** Whether an attempt has appended to it. */
  isAppended = false;
}

/** Keeps each journal with the record of its job. */
export class MemoryJournals implements JournalStore {
  constructor(private readonly jobs: JournalledJobs) {}

  read(taskId: string): Journal {
    const journal = this.jobs.find(taskId)?.journal;
    return journal === undefined
      ? EMPTY_JOURNAL
      : { entries: [...journal.byKey.values()], posts: journal.posts };
  }

  append(attempt: Attempt, entries: readonly JournalEntry[]): boolean {
    const job = attempt as JobRecord;
    if (job.status !== 'running') return false;
    const journal = (job.journal ??= new MemoryJournal());
    for (const entry of entries) journal.byKey.set(entry.key, entry);
    journal.isAppended = true;
    return true;
  }

  post(taskId: string, entry: JournalEntry): PostAnswer {
    const job = this.jobs.find(taskId);
    if (job === undefined) return 'unknown';
    if (job.finished) return 'finished';
    const journal = (job.journal ??= new MemoryJournal());
    if (journal.byKey.has(entry.key)) return 'known';
    if (journal.posts >= MAX_POSTS) return 'full';
    journal.byKey.set(entry.key, entry);
    journal.posts++;
    if (job.status !== 'suspended') return 'posted';
    job.home.wakeAt(job, this.jobs.clock.now() + wakeDelay(journal.posts));
    this.jobs.changed();
    return 'posted';
  }

  forget(taskId: string, keys: readonly string[]): boolean {
    const job = this.jobs.find(taskId);
    if (job?.status !== 'failed') return false;
    for (const key of keys) job.journal?.byKey.delete(key);
    return true;
  }
}
