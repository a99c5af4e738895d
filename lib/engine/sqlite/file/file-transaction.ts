import type { SqliteDatabase } from './driver/driver.js';
import type { Ledger } from '../sql/counters.js';
import { rollback } from './rollback.js';
import { faultOf } from '../sqlite-fault.js';

/** Pages in the write-ahead log after which they are carried over into the database. */
const CHECKPOINT_PAGES = 400;
/** Pages of a log that grows though it is carried over: others write whenever that is done, so it never begins anew. */
const LONG_LOG_PAGES = 2_000;
/** About what a transaction writes: a few pages each, and many rows to a page. */
const PAGES_PER_COMMIT = 4;
const ROWS_PER_PAGE = 12;

/** What a checkpoint answers: https://sqlite.org/pragma.html#pragma_wal_checkpoint */
interface Checkpoint {
  /** Pages in the log, and how many of them lie in the database as well. */
  readonly log: number;
  readonly checkpointed: number;
}

/** Begins and ends transactions on the file, one at a time, and carries the log over now and then. */
export class FileTransaction {
  private unmerged = 0;
  private restartDue = false;
  private readonly beginImmediate;
  private readonly commit;
  private readonly checkpoint;
  private readonly restart;

  /** @param finish The last step of every transaction. */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly finish: () => void,
  ) {
    this.beginImmediate = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.checkpoint = database.prepare<Checkpoint>('PRAGMA wal_checkpoint(PASSIVE)');
    this.restart = database.prepare<Checkpoint>('PRAGMA wal_checkpoint(RESTART)');
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
    return this.restartDue || this.unmerged >= CHECKPOINT_PAGES;
  }

  /** One step of it: another may be due at once. */
  merge(): void {
    const restart = this.restartDue;
    this.restartDue = false;
    this.unmerged = 0;
    try {
      if (restart) this.restart.get();
      else this.restartDue = isStarved(this.checkpoint.get() as Checkpoint);
    } catch {
      // What the disk does not take now stays in the log, from which it is read as well.
    }
  }
}

/**
 * Whether only what was written meanwhile is not carried over: keeping the others out for as long as
 * that takes lets the log begin anew. Behind a long reader more is left, and to keep out others is no use.
 */
function isStarved({ log, checkpointed }: Checkpoint): boolean {
  return log > LONG_LOG_PAGES && log - checkpointed < CHECKPOINT_PAGES;
}
