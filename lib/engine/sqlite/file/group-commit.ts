import { setTimeout as pause } from 'node:timers/promises';
import { detached } from '../../../job/async.js';
import { EngineError } from '../../../job/errors.js';
import type { FileTransaction } from './file-transaction.js';
import { engineError, faultOf } from '../sqlite-fault.js';

/** Rows that one transaction may write, and the time after which it takes up no more. */
const MAX_ROWS = 300;
const BUDGET_MS = 2;
/** How much of a long write is done in one turn of the event loop. */
const STEP_MS = 3;
/** While another process writes, a group that cannot begin tries again after this long, more or less. */
const LOCKED_RETRY_MS = 3;

interface Write {
  /** About how many rows of usual size it writes; of a long one, so far. */
  rows: number;
  readonly since: number;
  /** A long one has a transaction of its own, and is asked again, each time in another turn, until it says it is done. */
  readonly long: boolean;
  step(): boolean;
  /** Called once the transaction is durable. */
  done(): void;
  refuse(error: EngineError): void;
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
  private broken: EngineError | null = null;
  /** The write at which a group stands, or has failed. */
  private applying: Write | null = null;
  /** A long write that is under way. */
  private long: Write | null = null;

  /** @param lockTimeout How long a write waits while another program holds the file, in milliseconds. */
  constructor(
    private readonly transaction: FileTransaction,
    private readonly file: string,
    private readonly lockTimeout: number,
  ) {}

  /**
   * Applies `apply` within a transaction, some time after the caller has returned, and resolves
   * with what it returned when that is durable.
   *
   * @param rows About how many rows it writes.
   * @throws {EngineError} if it could not be done. It has then left no trace, and will not turn up later.
   */
  write<T>(apply: () => T, rows = 1): Promise<T> {
    return new Promise((resolve, reject) => {
      let value: T;
      const step = (): boolean => {
        value = apply();
        return true;
      };
      this.add({ rows, long: false, step, done: () => resolve(value), refuse: reject });
    });
  }

  /** The same for many items, however long it takes: all of them, or none. */
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
      const write = { rows: 0, long: true, step, done: () => resolve(values), refuse: reject };
      this.add(write);
    });
  }

  /** Writes everything that waits. What the file does not take within `lockTimeout` is refused. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.retry !== null) clearTimeout(this.retry);
    const deadline = performance.now() + this.lockTimeout;
    while (this.long !== null || this.waiting.length > 0) {
      if (this.advance()) continue;
      if (performance.now() > deadline) refuseAll(this.waiting.splice(0), this.locked());
      // Whoever holds the file may live in this very process.
      else await pause(LOCKED_RETRY_MS);
    }
  }

  /** Takes no more, and nothing of what has not been committed: what is written from now on would not be kept. */
  refuseFromNowOn(reason: EngineError): void {
    this.broken = reason;
    const refused = this.waiting.splice(0);
    if (this.long !== null) {
      this.transaction.cancel();
      refused.push(this.long);
      this.long = null;
    }
    refuseAll(refused, reason);
  }

  private add(write: Omit<Write, 'since'>): void {
    if (this.closed) return write.refuse(new EngineError(`${this.file} has been closed.`));
    if (this.broken !== null) return write.refuse(this.broken);
    this.waiting.push(Object.assign(write, { since: performance.now() }));
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.retry !== null) return;
    this.scheduled = true;
    detached(() => setImmediate(this.turn));
  }

  /** A group, a step or a checkpoint: none makes the event loop wait for another. */
  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.closed) return;
    if (this.long === null && this.transaction.shouldMerge) this.transaction.merge();
    else if (!this.advance()) return this.postpone();
    if (this.long !== null || this.waiting.length > 0 || this.transaction.shouldMerge) this.schedule();
  };

  /** The next group or step. Says `false`, having done nothing, if the file is locked. */
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
      refuseAll(this.waiting.splice(0), engineError(error, this.file));
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
      this.transaction.cancel();
      return this.refuse(group, error);
    }
    for (const write of group) write.done();
  }

  private step(long: Write): void {
    try {
      if (!long.step()) return;
      this.transaction.end(long.rows);
    } catch (error) {
      this.long = null;
      this.transaction.cancel();
      return this.refuse([long], error);
    }
    this.long = null;
    long.done();
  }

  /** Moves waiting writes into the transaction, as many as one may hold, and returns how many rows they write. */
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

  /** A write that is at fault itself takes no other with it: those get a transaction without it. */
  private refuse(group: Write[], error: unknown): void {
    const culprit = faultOf(error) === 'other' ? this.applying : null;
    if (culprit !== null) this.waiting = [...group.filter((write) => write !== culprit), ...this.waiting];
    this.applying = null;
    // The log may hold what the database has room for. A quota that is used up is no full disk to SQLite.
    if (faultOf(error) === 'full' || faultOf(error) === 'disk') this.transaction.merge();
    refuseAll(culprit === null ? group : [culprit], engineError(error, this.file));
  }

  private postpone(): void {
    const since = performance.now() - this.lockTimeout;
    const tired = this.waiting.filter((write) => write.since <= since);
    this.waiting = this.waiting.filter((write) => write.since > since);
    refuseAll(tired, this.locked());
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

  private locked(): EngineError {
    const cause = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    return engineError(cause, this.file);
  }
}

function refuseAll(writes: readonly Write[], error: EngineError): void {
  for (const write of writes) write.refuse(error);
}
