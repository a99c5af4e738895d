import { statSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import { EngineError } from '../../core/errors.js';
import type { StoreConfig } from '../embedded/job-store.interface.js';
import { CancelWrites } from './cancel-writes.js';
import { ClaimWrites } from './claim-writes.js';
import { ControlReads } from './control-reads.js';
import { openDatabaseFile } from './database-file.js';
import { DedupeWrites } from './dedupe-writes.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import { FileTransaction } from './file-transaction.js';
import { GroupCommit } from './group-commit.js';
import { JobReads } from './job-reads.js';
import { LeaseWrites } from './lease-writes.js';
import { Ledger } from './ledger.js';
import { OutcomeWrites } from './outcome-writes.js';
import { QueueWrites } from './queue-writes.js';
import { RedriveWrites } from './redrive-writes.js';
import { ReportWrites } from './report-writes.js';
import { RetentionWrites } from './retention-writes.js';
import { engineError } from './sqlite-fault.js';
import { SqliteIds } from './sqlite-id.js';
import type { ResolvedSqliteOptions } from './sqlite-options.js';
import { SubmissionWrites } from './submission-writes.js';

const UNKNOWN = 'unknown';

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

  private readonly path: string;
  private readonly identity: string | null;
  private gone = false;

  private constructor(
    private readonly database: SqliteDatabase,
    { file, lockTimeout }: ResolvedSqliteOptions,
    { retention, queues }: FileConfig,
  ) {
    this.path = file;
    this.identity = identityOf(file);
    const ids = new SqliteIds(tagOf(database));
    const ledger = new Ledger(database);
    this.reads = new JobReads(database, ids);
    this.looks = new ControlReads(database, ids);
    const keys = new DedupeWrites(database);
    this.submissions = new SubmissionWrites(database, ledger, ids, keys);
    this.cancels = new CancelWrites(database, ledger);
    this.claims = new ClaimWrites(database, ledger, this.cancels);
    this.outcomes = new OutcomeWrites(database, ledger);
    this.leases = new LeaseWrites(database, ledger, this.cancels);
    this.queues = new QueueWrites(database, ledger, queues);
    this.redrives = new RedriveWrites(database, ledger, keys);
    this.reports = new ReportWrites(database);
    this.retention = new RetentionWrites(database, ledger, retention);
    const transaction = new FileTransaction(database, ledger, () => this.retention.dropExcess());
    this.commit = new GroupCommit(transaction, file, lockTimeout);
  }

  /** @throws {EngineError} that says what is wrong with the file. */
  static async open(options: ResolvedSqliteOptions, config: FileConfig): Promise<JobsFile> {
    const database = await openDatabaseFile(options);
    try {
      return new JobsFile(database, options, config);
    } catch (error) {
      database.close();
      throw engineError(error, options.file);
    }
  }

  /**
   * Refuses to write any more once the file's name stands for no file, or for another one: what is
   * written to a file that has been removed is gone when its last process ends.
   */
  checkPresence(): void {
    const identity = identityOf(this.path);
    if (this.gone || identity === this.identity || identity === UNKNOWN) return;
    this.gone = true;
    const reason = new EngineError(
      `${this.path} has been removed or replaced while it was in use, so nothing more can be kept in it. Put it back and start the application again.`,
    );
    this.commit.refuseFromNowOn(reason);
    new Logger('Flowrra').error(reason.message);
  }

  /** Writes what is still to be written, and lets go of the file. */
  async close(): Promise<void> {
    await this.commit.close();
    this.database.close();
  }
}

/** `null` if there is no such file; `'unknown'` if it cannot be told. */
function identityOf(file: string): string | null {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found === undefined ? null : `${found.dev}:${found.ino}`;
  } catch {
    return UNKNOWN;
  }
}

function tagOf(database: SqliteDatabase): number {
  const row = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'tag'`).get();
  return row?.value ?? 0;
}
