import { detached } from '../../core/detached.js';
import { EngineError } from '../../core/errors.js';
import type { FileTransaction } from './file-transaction.js';
import { engineError, faultOf } from './sqlite-fault.js';

/** Rows that one transaction may write, and the time after which it takes up no more. */
const MAX_ROWS = 500;
const BUDGET_MS = 3;
/** While another process writes, a group that cannot begin tries again after this long, more or less. */
const LOCKED_RETRY_MS = 3;

interface Write {
  readonly rows: number;
  readonly since: number;
  /** More than one: a transaction of its own, each step in a turn of the event loop. */
  readonly steps: readonly (() => void)[];
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
  /** A write of several steps that is under way, and the step that comes next. */
  private long: { readonly write: Write; next: number } | null = null;

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
      const step = (): void => {
        value = apply();
      };
      this.add(rows, [step], () => resolve(value), reject);
    });
  }

  /** The same for a write that is too long for one turn of the event loop: all of it, or nothing. */
  writeAll<T>(steps: readonly (() => T)[], rows: number): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const values: T[] = [];
      // By index: a step is taken again if its transaction fails through somebody else's fault.
      const filling = steps.map((step, index) => () => {
        values[index] = step();
      });
      this.add(rows, filling, () => resolve(values), reject);
    });
  }

  /** Writes everything that waits, now. What the file does not take within `lockTimeout` is refused. */
  close(): void {
    this.closed = true;
    if (this.retry !== null) clearTimeout(this.retry);
    if (this.waiting.length > 0) this.transaction.waitAtMost(this.lockTimeout);
    while (this.long !== null || this.waiting.length > 0) {
      if (!this.advance()) refuseAll(this.waiting.splice(0), this.locked());
    }
  }

  /** Takes no more: what is written from now on would not be kept. */
  refuseFromNowOn(reason: EngineError): void {
    this.broken = reason;
  }

  private add(rows: number, steps: Write['steps'], done: Write['done'], refuse: Write['refuse']): void {
    if (this.closed) return refuse(new EngineError(`${this.file} has been closed.`));
    if (this.broken !== null) return refuse(this.broken);
    this.waiting.push({ rows, since: performance.now(), steps, done, refuse });
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
    if (first.steps.length === 1) {
      this.flush();
    } else {
      this.waiting.shift();
      this.step((this.long = { write: first, next: 0 }));
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

  private step(long: { readonly write: Write; next: number }): void {
    const { write } = long;
    try {
      write.steps[long.next++]?.();
      if (long.next < write.steps.length) return;
      this.transaction.end(write.rows);
    } catch (error) {
      this.long = null;
      this.transaction.cancel();
      return write.refuse(engineError(error, this.file));
    }
    this.long = null;
    write.done();
  }

  /** Moves waiting writes into the transaction, as many as one may hold, and returns how many rows they write. */
  private applyInto(group: Write[]): number {
    const started = performance.now();
    let rows = 0;
    try {
      for (const write of this.waiting) {
        if (write.steps.length > 1) break;
        if (rows > 0 && (rows + write.rows > MAX_ROWS || performance.now() - started > BUDGET_MS)) break;
        rows += write.rows;
        group.push(write);
        this.applying = write;
        write.steps[0]?.();
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
