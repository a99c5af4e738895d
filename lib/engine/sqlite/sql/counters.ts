import { type TaskStatus, isFinal } from '../../../job/status.js';
import type { SqliteDatabase } from '../file/driver/driver.js';

/**
 * The file's running figures: the last number given out, and how many jobs there are of each kind.
 * Within a transaction they are kept in memory and written once, at its end.
 */
export class Ledger {
  private readonly readLast;
  private readonly writeLast;
  private readonly addCount;
  private readonly readCount;
  private last = -1;
  private lastChanged = false;
  private readonly deltas = new Map<string, Map<TaskStatus, number>>();

  constructor(database: SqliteDatabase) {
    this.readLast = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'last'`);
    this.writeLast = database.prepare(`UPDATE numbers SET value = ? WHERE name = 'last'`);
    this.addCount = database.prepare(
      `INSERT INTO counts (queue, status, jobs) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs`,
    );
    this.readCount = database.prepare<{ jobs: number }>(
      'SELECT jobs FROM counts WHERE queue = ? AND status = ?',
    );
  }

  /** Forgets what a transaction that failed had put down. */
  reset(): void {
    this.last = -1;
    this.lastChanged = false;
    this.deltas.clear();
  }

  /** The next number of the file's one sequence. To be called within a transaction only. */
  next(): number {
    if (this.last < 0) this.last = (this.readLast.get() as { value: number }).value;
    this.lastChanged = true;
    return ++this.last;
  }

  count(queue: string, status: TaskStatus, delta: number): void {
    let statuses = this.deltas.get(queue);
    if (statuses === undefined) this.deltas.set(queue, (statuses = new Map<TaskStatus, number>()));
    statuses.set(status, (statuses.get(status) ?? 0) + delta);
  }

  moved(queue: string, from: TaskStatus, to: TaskStatus): void {
    this.count(queue, from, -1);
    this.count(queue, to, 1);
  }

  /** How many jobs of a kind there are, the present transaction included. */
  jobs(queue: string, status: TaskStatus): number {
    return (this.readCount.get(queue, status)?.jobs ?? 0) + (this.deltas.get(queue)?.get(status) ?? 0);
  }

  /** By how much the present transaction changes the number of finished jobs. */
  get finished(): number {
    let sum = 0;
    for (const statuses of this.deltas.values())
      for (const [status, delta] of statuses) if (isFinal(status)) sum += delta;
    return sum;
  }

  /** Writes what has changed, as the last step of a transaction. */
  write(): void {
    if (this.lastChanged) this.writeLast.run(this.last);
    for (const [queue, statuses] of this.deltas)
      for (const [status, delta] of statuses) if (delta !== 0) this.addCount.run(queue, status, delta);
    this.reset();
  }
}
