import { Logger } from '@nestjs/common';
import { EngineError } from '../../../job/errors.js';
import type { StoreConfig } from '../../embedded/job-store.js';
import { IdGenerator } from '../id-generator.js';
import { ClaimWrites } from '../sql/claim-writes.js';
import { ControlWrites } from '../sql/control-writes.js';
import { Counters } from '../sql/counters.js';
import { DedupeWrites } from '../sql/dedupe-writes.js';
import { JobPages } from '../sql/job-pages.js';
import { JobReads } from '../sql/job-reads.js';
import { JournalRows } from '../sql/journal-rows.js';
import { LeaseWrites } from '../sql/lease-writes.js';
import { OutcomeWrites } from '../sql/outcome-writes.js';
import { QueueLimits } from '../sql/queue-limits.js';
import { RetentionWrites } from '../sql/retention-writes.js';
import { ScheduleRows } from '../sql/schedule-rows.js';
import { SubmissionWrites } from '../sql/submission-writes.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';
import { openDatabaseFile } from './database-file.js';
import type { SqliteDatabase } from './driver.js';
import { FilePresence } from './file-watch.js';
import { FileTransaction } from './file-transaction.js';
import { GroupCommit } from './group-commit.js';

type FileConfig = Pick<StoreConfig, 'retention' | 'queues'>;

/** The open file: its reads, its writes, and the commit through which all writes go. */
export class JobsFile {
  readonly commit: GroupCommit;
  readonly reads: JobReads;
  readonly pages: JobPages;
  readonly submissions: SubmissionWrites;
  readonly claims: ClaimWrites;
  readonly outcomes: OutcomeWrites;
  readonly leases: LeaseWrites;
  readonly retention: RetentionWrites;
  readonly queues: QueueLimits;
  readonly control: ControlWrites;
  readonly schedules: ScheduleRows;
  readonly journals: JournalRows;

  private readonly transaction: FileTransaction;
  private readonly presence: FilePresence;
  private gone = false;

  private constructor(
    private readonly database: SqliteDatabase,
    private readonly options: ResolvedSqliteOptions,
    { retention, queues }: FileConfig,
  ) {
    const { file, lockTimeout } = options;
    const ids = new IdGenerator(tagOf(database));
    const counters = new Counters(database);
    const keys = new DedupeWrites(database);
    this.reads = new JobReads(database, ids);
    this.pages = new JobPages(database);
    this.retention = new RetentionWrites(database, counters, retention);
    this.submissions = new SubmissionWrites(database, counters, ids, keys, this.retention);
    this.control = new ControlWrites(database, counters, keys);
    this.journals = new JournalRows(database, counters);
    this.claims = new ClaimWrites(database, counters, this.control, this.journals);
    this.outcomes = new OutcomeWrites(database, counters, this.journals);
    this.leases = new LeaseWrites(database, counters, this.control, this.journals);
    this.queues = new QueueLimits(database, counters, queues);
    this.schedules = new ScheduleRows(database);
    this.transaction = new FileTransaction(database, counters, () => this.retention.dropExcess());
    this.commit = new GroupCommit(this.transaction, file, lockTimeout);
    this.presence = new FilePresence(file);
  }

  /**
   * Opens the file and makes a first write, so that a file that cannot be written is rejected at the start.
   *
   * @throws {EngineError} that says what is wrong with the file. The file is closed then.
   */
  static async open(options: ResolvedSqliteOptions, config: FileConfig): Promise<JobsFile> {
    const database = await openDatabaseFile(options);
    try {
      const opened = new JobsFile(database, options, config);
      await opened.commit.write(() => opened.leases.announce(options.lease));
      return opened;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Rejects all writes from now on if one of the files has been removed or replaced. */
  checkPresence(): void {
    const lost = this.gone ? null : this.presence.lost();
    if (lost === null) return;
    this.gone = true;
    const { file } = this.options;
    const remedy =
      lost === file
        ? 'Put it back and start the application again.'
        : 'Stop all processes that use the database with SIGTERM, so that they can save the rest of the log, and start them again.';
    const reason = new EngineError(
      `${lost} has been removed or replaced while ${lost === file ? 'it' : file} was in use, so nothing more can be stored. ${remedy}`,
    );
    this.commit.fail(reason);
    // A checkpoint saves the pages of the removed log, as long as it is open.
    if (lost !== file) this.transaction.checkpoint();
    new Logger('Flowrra').error(reason.message);
  }

  /** Makes the writes that wait, and closes the file. */
  async close(): Promise<void> {
    await this.commit.close();
    this.database.close();
  }
}

function tagOf(database: SqliteDatabase): number {
  const row = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'tag'`).get();
  return row?.value ?? 0;
}
