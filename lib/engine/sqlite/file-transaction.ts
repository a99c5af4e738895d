import type { SqliteDatabase } from './driver/driver.interface.js';
import type { Ledger } from './ledger.js';
import { rollback } from './rollback.js';
import { faultOf } from './sqlite-fault.js';

/** Pages in the write-ahead log after which they are carried over into the database. */
const CHECKPOINT_PAGES = 400;
/** About what a transaction writes: a few pages each, and many rows to a page. */
const PAGES_PER_COMMIT = 4;
const ROWS_PER_PAGE = 12;

/** Begins and ends transactions on the file, one at a time, and carries the log over now and then. */
export class FileTransaction {
  private unmerged = 0;
  private readonly beginImmediate;
  private readonly commit;
  private readonly checkpoint;

  /** @param finish The last step of every transaction. */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly finish: () => void,
  ) {
    this.beginImmediate = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /** Says `false` if another connection holds the file; throws if it cannot be written at all. */
  begin(): boolean {
    try {
      this.beginImmediate.run();
      return true;
    } catch (error) {
      if (faultOf(error) === 'locked') return false;
      throw error;
    }
  }

  /** @param rows About how many were written. */
  end(rows: number): void {
    this.finish();
    this.ledger.write();
    this.commit.run();
    this.unmerged += PAGES_PER_COMMIT + rows / ROWS_PER_PAGE;
  }

  cancel(): void {
    rollback(this.database);
    this.ledger.reset();
  }

  /** Whether the log has grown so long that it is time for {@link merge}. */
  get shouldMerge(): boolean {
    return this.unmerged >= CHECKPOINT_PAGES;
  }

  merge(): void {
    this.unmerged = 0;
    try {
      this.checkpoint.get();
    } catch {
      // What the disk does not take now stays in the log, from which it is read as well.
    }
  }
}
