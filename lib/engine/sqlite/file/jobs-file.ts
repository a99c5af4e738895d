import { Logger } from '@nestjs/common';
import { EngineError } from '../../../job/errors.js';
import type { StoreConfig } from '../../embedded/job-store.js';
import { CancelWrites } from '../sql/cancel-writes.js';
import { ClaimWrites } from '../sql/claim-writes.js';
import { ControlReads } from '../sql/control-reads.js';
import { openDatabaseFile } from './database-file.js';
import { DedupeWrites } from '../sql/dedupe-writes.js';
import type { SqliteDatabase } from './driver/driver.js';
import { FilePresence } from './file-presence.js';
import { FileTransaction } from './file-transaction.js';
import { GroupCommit } from './group-commit.js';
import { JobReads } from '../sql/job-reads.js';
import { LeaseWrites } from '../sql/lease-writes.js';
import { Ledger } from '../sql/counters.js';
import { OutcomeWrites } from '../sql/outcome-writes.js';
import { QueueWrites } from '../sql/queue-writes.js';
import { RedriveWrites } from '../sql/retry-writes.js';
import { ReportWrites } from '../sql/report-writes.js';
import { RetentionWrites } from '../sql/retention-writes.js';
import { SqliteIds } from '../sqlite-id.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';
import { SubmissionWrites } from '../sql/submission-writes.js';

type FileConfig = Pick<StoreConfig, 'retention' | 'queues'>;

/** The open file: what may be asked of it, what may be written, and the one way to write it. */
export class JobsFile {
  readonly commit: GroupCommit;
  readonly reads: JobReads;
  readonly submissions: SubmissionWrites;
  readonly claims: ClaimWrites;
  readonly outcomes: OutcomeWrites;
  readonly leases: LeaseWrites;
  readonly retention: RetentionWrites;
  readonly queues: QueueWrites;
  readonly looks: ControlReads;
  readonly cancels: CancelWrites;
  readonly redrives: RedriveWrites;
  readonly reports: ReportWrites;

  private readonly transaction: FileTransaction;
  private readonly presence: FilePresence;
  private gone = false;

  private constructor(
    private readonly database: SqliteDatabase,
    private readonly options: ResolvedSqliteOptions,
    { retention, queues }: FileConfig,
  ) {
    const { file, lockTimeout } = options;
    const ids = new SqliteIds(tagOf(database));
    const ledger = new Ledger(database);
    this.reads = new JobReads(database, ids);
    this.looks = new ControlReads(database, ids);
    const keys = new DedupeWrites(database);
    this.retention = new RetentionWrites(database, ledger, retention);
    this.submissions = new SubmissionWrites(database, ledger, ids, keys, this.retention);
    this.cancels = new CancelWrites(database, ledger);
    this.claims = new ClaimWrites(database, ledger, this.cancels);
    this.outcomes = new OutcomeWrites(database, ledger);
    this.leases = new LeaseWrites(database, ledger, this.cancels);
    this.queues = new QueueWrites(database, ledger, queues);
    this.redrives = new RedriveWrites(database, ledger, keys);
    this.reports = new ReportWrites(database);
    this.transaction = new FileTransaction(database, ledger, () => this.retention.dropExcess());
    this.commit = new GroupCommit(this.transaction, file, lockTimeout);
    this.presence = new FilePresence(file);
  }

  /**
   * Resolves once it has been written to: what can be opened and not written is of no use.
   *
   * @throws {EngineError} that says what is wrong with the file. It is closed then.
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

  /** Refuses to write any more once one of the files has been removed or replaced. */
  checkPresence(): void {
    const lost = this.gone ? null : this.presence.lost();
    if (lost === null) return;
    this.gone = true;
    const { file } = this.options;
    const cure =
      lost === file
        ? 'Put it back and start the application again.'
        : 'Stop all processes that use the database, in peace, so that they can save what they know of the log, and start again.';
    const reason = new EngineError(
      `${lost} has been removed or replaced while ${lost === file ? 'it' : file} was in use, so nothing more can be kept. ${cure}`,
    );
    this.commit.refuseFromNowOn(reason);
    // What lies in a log without a name is safe once it is carried over.
    if (lost !== file) this.transaction.merge();
    new Logger('Flowrra').error(reason.message);
  }

  /** Writes what is still to be written, and lets go of the file. */
  async close(): Promise<void> {
    await this.commit.close();
    this.database.close();
  }
}

function tagOf(database: SqliteDatabase): number {
  const row = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'tag'`).get();
  return row?.value ?? 0;
}
