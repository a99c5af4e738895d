import { detached } from '../../core/detached.js';
import { EngineError } from '../../core/errors.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import type { Ledger } from './ledger.js';
import { rollback } from './rollback.js';
import { engineError, faultOf } from './sqlite-fault.js';

/** Rows that one transaction may write, and the time after which it takes up no more. */
const MAX_ROWS = 500;
const BUDGET_MS = 3;
/** While another process writes, a group that cannot begin tries again after this long, more or less. */
const LOCKED_RETRY_MS = 3;
/** Pages in the write-ahead log after which they are carried over into the database. */
const CHECKPOINT_PAGES = 400;
/** About what a transaction writes: a few pages each, and many rows to a page. */
const PAGES_PER_COMMIT = 4;
const ROWS_PER_PAGE = 12;

interface Write {
  readonly rows: number;
  readonly since: number;
  apply(): void;
  /** Called once the transaction is durable. */
  done(): void;
  refuse(error: EngineError): void;
}

export interface GroupCommitOptions {
  readonly file: string;
  readonly lockTimeout: number;
  /** The last step of every transaction. */
  finish(): void;
}

/**
 * The one way into the file: writes of the same turn of the event loop share a transaction, so that
 * many pay for one commit and a lone one waits for nobody. Whoever writes hears of it when it is durable.
 */
export class GroupCommit {
  private waiting: Write[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | null = null;
  private closed = false;
  /** The write at which a transaction stands, or has failed. */
  private applying: Write | null = null;
  private unmerged = 0;
  private readonly begin;
  private readonly commit;
  private readonly checkpoint;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly options: GroupCommitOptions,
  ) {
    this.begin = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /**
   * Applies `apply` within a transaction, some time after the caller has returned, and resolves
   * with what it returned when that is durable.
   *
   * @param rows About how many rows it writes.
   * @throws {EngineError} if it could not be done. It has then left no trace, and will not turn up later.
   */
  write<T>(apply: () => T, rows = 1): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new EngineError(`${this.options.file} has been closed.`));
      let value: T;
      this.waiting.push({
        rows,
        since: performance.now(),
        apply: () => {
          value = apply();
        },
        done: () => resolve(value),
        refuse: reject,
      });
      this.schedule();
    });
  }

  /** Writes everything that waits, now. What the file does not take within `lockTimeout` is refused. */
  close(): void {
    this.closed = true;
    if (this.retry !== null) clearTimeout(this.retry);
    if (this.waiting.length > 0) this.database.exec(`PRAGMA busy_timeout = ${this.options.lockTimeout}`);
    while (this.waiting.length > 0) {
      const locked = this.flush();
      if (locked !== null) refuseAll(this.waiting.splice(0), locked);
    }
  }

  private schedule(): void {
    if (this.scheduled || this.retry !== null) return;
    this.scheduled = true;
    detached(() => setImmediate(this.turn));
  }

  /** Either a transaction or a checkpoint: neither makes the event loop wait for both. */
  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.closed) return;
    if (this.unmerged >= CHECKPOINT_PAGES) this.merge();
    else if (this.waiting.length > 0) {
      const locked = this.flush();
      if (locked !== null) return this.postpone(locked);
    }
    if (this.waiting.length > 0 || this.unmerged >= CHECKPOINT_PAGES) this.schedule();
  };

  /** One transaction. Returns the error if the file is locked, and nothing has been done. */
  private flush(): EngineError | null {
    const group: Write[] = [];
    try {
      this.begin.run();
    } catch (error) {
      if (faultOf(error) === 'locked') return engineError(error, this.options.file);
      refuseAll(this.waiting.splice(0), engineError(error, this.options.file));
      return null;
    }
    try {
      const rows = this.applyInto(group);
      this.options.finish();
      this.ledger.write();
      this.commit.run();
      this.unmerged += PAGES_PER_COMMIT + rows / ROWS_PER_PAGE;
    } catch (error) {
      rollback(this.database);
      this.ledger.reset();
      this.refuse(group, error);
      return null;
    }
    for (const write of group) write.done();
    return null;
  }

  /** A write that is at fault itself takes no other with it: those get a transaction without it. */
  private refuse(group: Write[], error: unknown): void {
    const culprit = faultOf(error) === 'other' ? this.applying : null;
    if (culprit !== null) this.waiting = [...group.filter((write) => write !== culprit), ...this.waiting];
    refuseAll(culprit === null ? group : [culprit], engineError(error, this.options.file));
  }

  /** Moves waiting writes into the transaction, as many as one may hold, and returns how many rows they write. */
  private applyInto(group: Write[]): number {
    const started = performance.now();
    let rows = 0;
    try {
      for (const write of this.waiting) {
        if (rows > 0 && (rows + write.rows > MAX_ROWS || performance.now() - started > BUDGET_MS)) break;
        rows += write.rows;
        group.push(write);
        this.applying = write;
        write.apply();
      }
      this.applying = null;
    } finally {
      this.waiting = this.waiting.slice(group.length);
    }
    return rows;
  }

  private postpone(locked: EngineError): void {
    const since = performance.now() - this.options.lockTimeout;
    const tired = this.waiting.filter((write) => write.since <= since);
    this.waiting = this.waiting.filter((write) => write.since > since);
    refuseAll(tired, locked);
    if (this.waiting.length === 0) return;
    // Not all at the same pace, or the same process would always come too late.
    const wait = LOCKED_RETRY_MS * (0.5 + Math.random());
    this.retry = detached(() =>
      setTimeout(() => {
        this.retry = null;
        this.turn();
      }, wait),
    );
  }

  private merge(): void {
    this.unmerged = 0;
    try {
      this.checkpoint.get();
    } catch {
      // What the disk does not take now stays in the log, from which it is read as well.
    }
  }
}

function refuseAll(writes: readonly Write[], error: EngineError): void {
  for (const write of writes) write.refuse(error);
}
