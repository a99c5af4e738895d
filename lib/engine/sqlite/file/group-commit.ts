import { setTimeout as pause } from 'node:timers/promises';
import { detached } from '../../../job/async.js';
import { EngineError } from '../../../job/errors.js';
import { engineError, faultOf } from '../sqlite-fault.js';
import type { FileTransaction } from './file-transaction.js';

/** A transaction takes up no more writes after this many rows, or after this time. */
const MAX_ROWS = 300;
const BUDGET_MS = 2;
/** The time that a long write takes in one turn of the event loop. */
const STEP_MS = 3;
/** The mean pause before the next try while another process holds the lock. */
const LOCKED_RETRY_MS = 3;
/** Characters of a row with small arguments: the unit of `rows`. */
const USUAL_ROW = 340;

/** The number of usual rows that take as much space as one row with this text. */
export function rowsFor(text: string | null): number {
  return 1 + Math.floor((text?.length ?? 0) / USUAL_ROW);
}

interface Write {
  /** An estimate of the usual rows written; for a long write, so far. */
  rows: number;
  readonly since: number;
  /** A long write has its own transaction, and takes one step per turn of the event loop. */
  readonly long: boolean;
  /** Returns whether the write is complete. */
  step(): boolean;
  /** Called once the transaction is durable. */
  done(): void;
  reject(error: EngineError): void;
}

/**
 * The only way to write to the file. Writes of the same turn of the event loop share a transaction, so that
 * many writes cost one commit, and a single write does not wait. Promises resolve when the commit is durable.
 */
export class GroupCommit {
  private waiting: Write[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | null = null;
  private closed = false;
  private failure: EngineError | null = null;
  /** The write that is being applied, or that has thrown. */
  private applying: Write | null = null;
  /** The long write whose transaction is open. */
  private long: Write | null = null;

  /** @param lockTimeout How long a write waits while another program holds the lock, in milliseconds. */
  constructor(
    private readonly transaction: FileTransaction,
    private readonly file: string,
    private readonly lockTimeout: number,
  ) {}

  /**
   * Calls `apply` within a transaction, after the caller has returned. Resolves with its result once the
   * transaction is durable.
   *
   * @param rows An estimate of the usual rows that it writes: see {@link rowsFor}.
   * @throws {EngineError} if the write failed. Then it has changed nothing, and is not tried again.
   */
  write<T>(apply: () => T, rows = 1): Promise<T> {
    return new Promise((resolve, reject) => {
      let value: T;
      const step = (): boolean => {
        value = apply();
        return true;
      };
      this.add({ rows, long: false, step, done: () => resolve(value), reject });
    });
  }

  /** The same for many items, in one transaction over several turns of the event loop. */
  writeEach<I, T>(items: readonly I[], apply: (item: I) => { value: T; rows: number }): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const values: T[] = [];
      const step = (): boolean => {
        const started = performance.now();
        while (values.length < items.length && performance.now() - started < STEP_MS) {
          const { value, rows } = apply(items[values.length] as I);
          values.push(value);
          write.rows += rows;
        }
        return values.length === items.length;
      };
      const write = { rows: 0, long: true, step, done: () => resolve(values), reject };
      this.add(write);
    });
  }

  /** Writes all that waits. Writes that cannot be made within `lockTimeout` are rejected. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.retry !== null) clearTimeout(this.retry);
    const deadline = performance.now() + this.lockTimeout;
    while (this.long !== null || this.waiting.length > 0) {
      if (this.advance()) continue;
      if (performance.now() > deadline) rejectAll(this.waiting.splice(0), this.lockedError());
      // A pause without blocking, since the lock may be held in this very process.
      else await pause(LOCKED_RETRY_MS);
    }
  }

  /** Rejects all uncommitted and all later writes, since they would be lost. */
  fail(reason: EngineError): void {
    this.failure = reason;
    const rejected = this.waiting.splice(0);
    if (this.long !== null) {
      this.transaction.rollback();
      rejected.push(this.long);
      this.long = null;
    }
    rejectAll(rejected, reason);
  }

  private add(write: Omit<Write, 'since'>): void {
    if (this.closed) return write.reject(new EngineError(`${this.file} has been closed.`));
    if (this.failure !== null) return write.reject(this.failure);
    this.waiting.push(Object.assign(write, { since: performance.now() }));
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.retry !== null) return;
    this.scheduled = true;
    detached(() => setImmediate(this.turn));
  }

  /** One group, one step or one checkpoint per turn, so that the event loop is not blocked for long. */
  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.closed) return;
    if (this.long === null && this.transaction.checkpointDue) this.transaction.checkpoint();
    else if (!this.advance()) return this.postpone();
    if (this.long !== null || this.waiting.length > 0 || this.transaction.checkpointDue) this.schedule();
  };

  /** Makes the next group or step. Returns `false`, and does nothing, if the file is locked. */
  private advance(): boolean {
    if (this.long !== null) {
      this.step(this.long);
      return true;
    }
    const [first] = this.waiting;
    if (first === undefined) return true;
    try {
      if (!this.transaction.begin()) return false;
    } catch (error) {
      rejectAll(this.waiting.splice(0), engineError(error, this.file));
      return true;
    }
    if (first.long) {
      this.waiting.shift();
      this.step((this.long = first));
    } else {
      this.flush();
    }
    return true;
  }

  private flush(): void {
    const group: Write[] = [];
    try {
      this.transaction.end(this.applyInto(group));
    } catch (error) {
      this.transaction.rollback();
      return this.reject(group, error);
    }
    for (const write of group) write.done();
  }

  private step(long: Write): void {
    try {
      if (!long.step()) return;
      this.transaction.end(long.rows);
    } catch (error) {
      this.long = null;
      this.transaction.rollback();
      return this.reject([long], error);
    }
    this.long = null;
    long.done();
  }

  /** Applies waiting writes up to the limits of one transaction. Returns the rows that they write. */
  private applyInto(group: Write[]): number {
    const started = performance.now();
    let rows = 0;
    try {
      for (const write of this.waiting) {
        if (write.long) break;
        if (rows > 0 && (rows + write.rows > MAX_ROWS || performance.now() - started > BUDGET_MS)) break;
        rows += write.rows;
        group.push(write);
        this.applying = write;
        write.step();
      }
      this.applying = null;
    } finally {
      this.waiting = this.waiting.slice(group.length);
    }
    return rows;
  }

  /** If one write caused the error, only that write is rejected: the others get another transaction. */
  private reject(group: Write[], error: unknown): void {
    const culprit = faultOf(error) === 'other' ? this.applying : null;
    if (culprit !== null) this.waiting = [...group.filter((write) => write !== culprit), ...this.waiting];
    this.applying = null;
    // A checkpoint makes room in the log. SQLite reports an exhausted quota as an I/O error, not as a full disk.
    if (faultOf(error) === 'full' || faultOf(error) === 'disk') this.transaction.checkpoint();
    rejectAll(culprit === null ? group : [culprit], engineError(error, this.file));
  }

  private postpone(): void {
    const oldest = performance.now() - this.lockTimeout;
    const timedOut = this.waiting.filter((write) => write.since <= oldest);
    this.waiting = this.waiting.filter((write) => write.since > oldest);
    rejectAll(timedOut, this.lockedError());
    if (this.waiting.length === 0) return;
    // Random pauses: with equal ones, the same process could lose every race for the lock.
    const wait = LOCKED_RETRY_MS * (0.5 + Math.random());
    this.retry = detached(() =>
      setTimeout(() => {
        this.retry = null;
        this.turn();
      }, wait),
    );
  }

  private lockedError(): EngineError {
    const cause = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    return engineError(cause, this.file);
  }
}

function rejectAll(writes: readonly Write[], error: EngineError): void {
  for (const write of writes) write.reject(error);
}
