import { PayloadError } from '../../../job/errors.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import { RESULT_COLUMNS, type ResultRow } from './job-row.js';
import type { SqliteIds } from '../sqlite-id.js';

interface Cancelling {
  readonly id: number;
  readonly claims: number;
  readonly cancelling: string;
}

/** What is asked of the file. Each answer takes microseconds, whatever the size of the file. */
export class JobReads {
  private readonly byRow;
  private readonly byChosenId;
  private readonly line;
  private readonly delayed;
  private readonly pending;
  private readonly finished;
  private readonly last;
  private readonly largeArgs;
  private readonly version;
  private readonly oldest;
  private readonly lastLease;
  private readonly longest;
  private readonly exists;
  private readonly keyEnd;
  private readonly cancelling;

  constructor(
    database: SqliteDatabase,
    private readonly ids: SqliteIds,
  ) {
    this.byRow = database.prepare<ResultRow>(`SELECT ${RESULT_COLUMNS} FROM jobs WHERE id = ?`);
    this.byChosenId = database.prepare<ResultRow>(
      `SELECT ${RESULT_COLUMNS} FROM jobs WHERE task_id = ? AND chosen = 1`,
    );
    this.line = database.prepare('SELECT 1 FROM jobs WHERE queue = ? AND place IS NOT NULL LIMIT 1');
    this.delayed = database.prepare<{ due_at: number }>(
      'SELECT due_at FROM jobs WHERE queue = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1',
    );
    this.pending = database.prepare<{ jobs: number | null }>(
      `SELECT sum(jobs) AS jobs FROM counts WHERE status IN ('pending', 'retrying')`,
    );
    this.finished = database.prepare<{ id: number; finish_order: number }>(
      'SELECT id, finish_order FROM jobs WHERE finish_order > ? ORDER BY finish_order LIMIT ?',
    );
    this.last = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'last'`);
    this.largeArgs = database.prepare<{ args: string }>('SELECT args FROM large_args WHERE job = ?');
    this.oldest = database.prepare<{ finished_at: number }>(
      'SELECT finished_at FROM jobs WHERE finish_order IS NOT NULL ORDER BY finish_order LIMIT 1',
    );
    this.lastLease = database.prepare<{ leased_until: number }>(
      'SELECT leased_until FROM jobs WHERE leased_until IS NOT NULL ORDER BY leased_until DESC LIMIT 1',
    );
    this.longest = database.prepare<{ value: number }>(
      `SELECT value FROM numbers WHERE name = 'longest_lease'`,
    );
    this.exists = database.prepare('SELECT 1 FROM jobs WHERE id = ?');
    this.keyEnd = database.prepare<{ until: number }>(
      'SELECT until FROM dedupe_keys WHERE until IS NOT NULL ORDER BY until LIMIT 1',
    );
    this.cancelling = database.prepare<Cancelling>(
      `SELECT id, claims, cancelling FROM jobs INDEXED BY jobs_cancelling
       WHERE cancelling IS NOT NULL AND status = 'running'`,
    );
    this.version = database.prepare<{ data_version: number }>('PRAGMA data_version');
  }

  find(taskId: string): ResultRow | undefined {
    const row = this.ids.rowOf(taskId);
    const found = row < 0 ? undefined : this.byRow.get(row);
    return found?.task_id === taskId ? found : this.byChosenId.get(taskId);
  }

  at(id: number): ResultRow | undefined {
    return this.byRow.get(id);
  }

  /** Whether an id that is not found is one that this file has given out. */
  wasIssued(taskId: string): boolean {
    const row = this.ids.rowOf(taskId);
    return row > 0 && row <= this.lastNumber();
  }

  /** When the next job of a queue is due: 0 for now, `null` for none. Running ones are not counted. */
  nextDue(queue: string): number | null {
    return this.line.get(queue) === undefined ? (this.delayed.get(queue)?.due_at ?? null) : 0;
  }

  pendingCount(): number {
    return this.pending.get()?.jobs ?? 0;
  }

  /** The rows of the next jobs that finished after `order`, in that order. */
  finishedAfter(order: number, limit: number): { id: number; finish_order: number }[] {
    return this.finished.all(order, limit);
  }

  /** When the last of all leases ends; `-Infinity` if nothing runs. */
  lastLeaseEnd(): number {
    return this.lastLease.get()?.leased_until ?? -Infinity;
  }

  /** The longest lease that any process gives. */
  longestLease(): number {
    return this.longest.get()?.value ?? 0;
  }

  isThere(id: number): boolean {
    return this.exists.get(id) !== undefined;
  }

  /** When the oldest result was finished; `Infinity` if there is none. */
  oldestResult(): number {
    return this.oldest.get()?.finished_at ?? Infinity;
  }

  /** When the first of the keys that stand for a time stands no more; `Infinity` if there is none. */
  firstKeyEnd(): number {
    return this.keyEnd.get()?.until ?? Infinity;
  }

  /** All jobs that run though they have been cancelled, in whichever process: their rows, the claims under which they run, and why. */
  cancellations(): Cancelling[] {
    return this.cancelling.all();
  }

  /** The last number of the file's sequence: whatever finishes from now on has a higher one. */
  lastNumber(): number {
    return this.last.get()?.value ?? 0;
  }

  /** Changes whenever another connection has written: https://sqlite.org/pragma.html#pragma_data_version */
  dataVersion(): number {
    return this.version.get()?.data_version ?? 0;
  }

  /** @throws {PayloadError} if somebody has taken them away. */
  argsOf(id: number): string {
    const found = this.largeArgs.get(id);
    if (found !== undefined) return found.args;
    throw new PayloadError('args', `the file holds no arguments for the job in row ${id}`);
  }
}
