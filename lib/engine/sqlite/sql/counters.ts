import { isFinal, type TaskStatus } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver.js';

/**
 * The counters of the file: the last number of its sequence, and the number of jobs by queue and status.
 * Changes are kept in memory during a transaction and written once, at its end.
 */
export class Counters {
  private readonly readLast;
  private readonly writeLast;
  private readonly addJobs;
  private readonly readJobs;
  private last = -1;
  private lastChanged = false;
  private readonly deltas = new Map<string, Map<TaskStatus, number>>();

  constructor(database: SqliteDatabase) {
    this.readLast = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'last'`);
    this.writeLast = database.prepare(`UPDATE numbers SET value = ? WHERE name = 'last'`);
    this.addJobs = database.prepare(
      `INSERT INTO counts (queue, status, jobs) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs`,
    );
    this.readJobs = database.prepare<{ jobs: number }>(
      'SELECT jobs FROM counts WHERE queue = ? AND status = ?',
    );
  }

  /** Discards the changes of a failed transaction. */
  reset(): void {
    this.last = -1;
    this.lastChanged = false;
    this.deltas.clear();
  }

  /** The next number of the file's sequence. Call it only within a transaction. */
  next(): number {
    if (this.last < 0) this.last = (this.readLast.get() as { value: number }).value;
    this.lastChanged = true;
    return ++this.last;
  }

  add(queue: string, status: TaskStatus, delta: number): void {
    let statuses = this.deltas.get(queue);
    if (statuses === undefined) this.deltas.set(queue, (statuses = new Map<TaskStatus, number>()));
    statuses.set(status, (statuses.get(status) ?? 0) + delta);
  }

  /** Counts a job's change of status. */
  move(queue: string, from: TaskStatus, to: TaskStatus): void {
    this.add(queue, from, -1);
    this.add(queue, to, 1);
  }

  /** The number of jobs with a status, including the changes of the current transaction. */
  jobs(queue: string, status: TaskStatus): number {
    return (this.readJobs.get(queue, status)?.jobs ?? 0) + (this.deltas.get(queue)?.get(status) ?? 0);
  }

  /** The change in the number of finished jobs by the current transaction. */
  get finishedDelta(): number {
    let sum = 0;
    for (const statuses of this.deltas.values())
      for (const [status, delta] of statuses) if (isFinal(status)) sum += delta;
    return sum;
  }

  /** Writes the changes, as the last step of a transaction. */
  write(): void {
    if (this.lastChanged) this.writeLast.run(this.last);
    for (const [queue, statuses] of this.deltas)
      for (const [status, delta] of statuses) if (delta !== 0) this.addJobs.run(queue, status, delta);
    this.reset();
  }
}
