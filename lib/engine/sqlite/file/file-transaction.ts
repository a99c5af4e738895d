import type { Counters } from '../sql/counters.js';
import { faultOf } from '../sqlite-fault.js';
import type { SqliteDatabase } from './driver.js';

/** A checkpoint is due when the write-ahead log has grown by this many pages. */
const CHECKPOINT_PAGES = 400;
/** A longer log is truncated by force: other processes write during every checkpoint, so it never restarts by itself. */
const LONG_LOG_PAGES = 2_000;
/** Estimates of the pages that a transaction writes. */
const PAGES_PER_COMMIT = 4;
const ROWS_PER_PAGE = 12;

/** The result of a checkpoint: https://sqlite.org/pragma.html#pragma_wal_checkpoint */
interface Checkpoint {
  /** Pages in the log. */
  readonly log: number;
  /** How many of them have been copied to the database. */
  readonly checkpointed: number;
}

/** Begins and ends transactions on the file, one at a time, and makes checkpoints between them. */
export class FileTransaction {
  private pagesSinceCheckpoint = 0;
  private restartDue = false;
  private readonly beginImmediate;
  private readonly commit;
  private readonly passive;
  private readonly restart;

  /** @param finish The last step of every transaction. */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly finish: () => void,
  ) {
    this.beginImmediate = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.passive = database.prepare<Checkpoint>('PRAGMA wal_checkpoint(PASSIVE)');
    this.restart = database.prepare<Checkpoint>('PRAGMA wal_checkpoint(RESTART)');
  }

  /**
   * Returns `false` if another connection holds the lock.
   *
   * @throws {EngineError} if the file cannot be written.
   */
  begin(): boolean {
    try {
      this.beginImmediate.run();
      return true;
    } catch (error) {
      if (faultOf(error) === 'locked') return false;
      throw error;
    }
  }

  /** @param rows An estimate of the rows written. */
  end(rows: number): void {
    this.finish();
    this.counters.write();
    this.commit.run();
    this.pagesSinceCheckpoint += PAGES_PER_COMMIT + rows / ROWS_PER_PAGE;
  }

  rollback(): void {
    this.database.rollback();
    this.counters.reset();
  }

  get checkpointDue(): boolean {
    return this.restartDue || this.pagesSinceCheckpoint >= CHECKPOINT_PAGES;
  }

  /** Copies the log to the database. Another checkpoint may be due right afterwards. */
  checkpoint(): void {
    const restart = this.restartDue;
    this.restartDue = false;
    this.pagesSinceCheckpoint = 0;
    try {
      if (restart) this.restart.get();
      else this.restartDue = needsRestart(this.passive.get() as Checkpoint);
    } catch {
      // Pages that the disk rejects now stay in the log and are read from there.
    }
  }
}

/**
 * Whether only pages written during the checkpoint are left in a long log. Then a checkpoint that keeps other
 * writers out for a moment lets the log restart. If a long reader holds back more pages, it would not help.
 */
function needsRestart({ log, checkpointed }: Checkpoint): boolean {
  return log > LONG_LOG_PAGES && log - checkpointed < CHECKPOINT_PAGES;
}
