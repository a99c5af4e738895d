import { ExecutorNotRunningError } from '../../job/errors.js';
import type { Attempt } from '../../job/job.js';
import { EMPTY_JOURNAL, type Journal, type JournalEntry } from '../../job/journal/journal.js';
import { CHANGED, type StoreConfig } from '../embedded/job-store.js';
import type { JournalStore, PostAnswer } from '../journal-store.js';
import { rowsFor } from './file/group-commit.js';
import type { JobsFile } from './file/jobs-file.js';
import { hasExpired } from './sql/job-row.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';

export interface SqliteJournalsParts {
  readonly file: JobsFile;
  readonly config: Pick<StoreConfig, 'clock' | 'retention' | 'notify'>;
  /** Milliseconds. */
  readonly lease: number;
}

/** The journals of the file, which all processes that have opened it share. */
export class SqliteJournals implements JournalStore {
  private closed = false;

  constructor(private readonly parts: SqliteJournalsParts) {}

  close(): void {
    this.closed = true;
  }

  read(taskId: string): Journal {
    const job = this.rowOf(taskId);
    return job === null ? EMPTY_JOURNAL : this.open.file.journals.read(job);
  }

  async append(given: Attempt, entries: readonly JournalEntry[]): Promise<boolean> {
    const { file, config, lease } = this.open;
    const attempt = given as SqliteAttempt;
    const append = (): boolean => {
      if (file.journals.append(attempt, entries)) return true;
      // The lease has ended. If no other worker has claimed the job, the attempt is still the current one.
      return file.leases.renew(attempt, config.clock.now() + lease) && file.journals.append(attempt, entries);
    };
    return file.commit.write(append, rowsOf(entries));
  }

  async post(taskId: string, entry: JournalEntry): Promise<PostAnswer> {
    const { file, config } = this.open;
    const job = this.rowOf(taskId);
    if (job === null) return 'unknown';
    const { answer, isWoken } = await file.commit.write(
      () => file.journals.post(job, entry, config.clock.now()),
      rowsOf([entry]),
    );
    if (isWoken) config.notify(CHANGED);
    return answer;
  }

  async forget(taskId: string, keys: readonly string[], mark: JournalEntry): Promise<boolean> {
    const { file } = this.open;
    const job = this.rowOf(taskId);
    return job !== null && file.commit.write(() => file.journals.forget(job, keys, mark), keys.length + 1);
  }

  /** The row of a job whose result has not expired; `null` if there is none. */
  private rowOf(taskId: string): number | null {
    const { file, config } = this.open;
    const row = file.reads.find(taskId);
    return row === undefined || hasExpired(row, config.clock.now(), config.retention.resultTtl)
      ? null
      : row.id;
  }

  /** @throws {ExecutorNotRunningError} after {@link close}. */
  private get open(): SqliteJournalsParts {
    if (!this.closed) return this.parts;
    throw new ExecutorNotRunningError('The database file is not open.');
  }
}

function rowsOf(entries: readonly JournalEntry[]): number {
  return entries.reduce((sum, { body }) => sum + rowsFor(body), 0);
}
