import type { Clock } from '../../job/clock.js';
import type { Attempt } from '../../job/job.js';
import { EMPTY_JOURNAL, type Journal, type JournalEntry, wakeDelay } from '../../job/journal/journal.js';
import type { JournalStore, PostAnswer } from '../journal-store.js';
import type { JobRecord } from './job-record.js';
import { MemoryJournal } from './memory-journal.js';

/** The part of the store that journals use. */
export interface JournalledJobs {
  readonly clock: Clock;
  find(taskId: string): JobRecord | undefined;
  changed(): void;
}

/** Keeps each journal with the record of its job. */
export class MemoryJournals implements JournalStore {
  constructor(private readonly jobs: JournalledJobs) {}

  read(taskId: string): Journal {
    return this.jobs.find(taskId)?.journal?.read() ?? EMPTY_JOURNAL;
  }

  append(attempt: Attempt, entries: readonly JournalEntry[]): boolean {
    const job = attempt as JobRecord;
    if (job.status !== 'running') return false;
    (job.journal ??= new MemoryJournal()).append(entries);
    return true;
  }

  post(taskId: string, entry: JournalEntry): PostAnswer {
    const job = this.jobs.find(taskId);
    if (job === undefined) return 'unknown';
    if (job.finished) return 'finished';
    const journal = (job.journal ??= new MemoryJournal());
    const answer = journal.post(entry);
    if (answer !== 'posted' || job.status !== 'suspended') return answer;
    job.home.wakeAt(job, this.jobs.clock.now() + wakeDelay(journal.posts));
    this.jobs.changed();
    return 'posted';
  }

  forget(taskId: string, keys: readonly string[], mark: JournalEntry): boolean {
    const job = this.jobs.find(taskId);
    if (job?.status !== 'failed') return false;
    job.journal?.forget(keys, mark);
    return true;
  }
}
