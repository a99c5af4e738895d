import { PayloadError } from '../../../job/errors.js';
import type { LogLine, TaskStatus } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { IdGenerator } from '../id-generator.js';
import { ROW_COLUMNS, type SqliteRow } from './job-row.js';

export interface CancellationRow {
  readonly id: number;
  readonly claims: number;
  readonly cancelling: string;
}

export interface CountRow {
  readonly queue: string;
  readonly status: TaskStatus;
  readonly jobs: number;
}

/** Reads of the file, except for pages of jobs. Each takes microseconds, whatever the size of the file. */
export class JobReads {
  private readonly byRow;
  private readonly byChosenId;
  private readonly args;
  private readonly largeArgs;
  private readonly logs;
  private readonly waiting;
  private readonly delayed;
  private readonly pending;
  private readonly counts;
  private readonly finished;
  private readonly last;
  private readonly exists;
  private readonly cancelling;
  private readonly version;

  constructor(
    database: SqliteDatabase,
    private readonly ids: IdGenerator,
  ) {
    this.byRow = database.prepare<SqliteRow>(`SELECT ${ROW_COLUMNS} FROM jobs WHERE id = ?`);
    this.byChosenId = database.prepare<SqliteRow>(
      `SELECT ${ROW_COLUMNS} FROM jobs WHERE task_id = ? AND chosen = 1`,
    );
    this.args = database.prepare<{ args: string | null }>(
      'SELECT coalesce(jobs.args, large_args.args) AS args FROM jobs LEFT JOIN large_args ON job = id WHERE id = ?',
    );
    this.largeArgs = database.prepare<{ args: string }>('SELECT args FROM large_args WHERE job = ?');
    this.logs = database.prepare<LogLine>('SELECT at, attempt, line FROM logs WHERE job = ? ORDER BY number');
    this.waiting = database.prepare('SELECT 1 FROM jobs WHERE queue = ? AND place IS NOT NULL LIMIT 1');
    this.delayed = database.prepare<{ due_at: number }>(
      'SELECT due_at FROM jobs WHERE queue = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1',
    );
    this.pending = database.prepare<{ jobs: number | null }>(
      `SELECT sum(jobs) AS jobs FROM counts WHERE status IN ('pending', 'retrying')`,
    );
    this.counts = database.prepare<CountRow>('SELECT queue, status, jobs FROM counts');
    this.finished = database.prepare<{ id: number; finish_order: number }>(
      'SELECT id, finish_order FROM jobs WHERE finish_order > ? ORDER BY finish_order LIMIT ?',
    );
    this.last = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'last'`);
    this.exists = database.prepare('SELECT 1 FROM jobs WHERE id = ?');
    this.cancelling = database.prepare<CancellationRow>(
      `SELECT id, claims, cancelling FROM jobs INDEXED BY jobs_cancelling
       WHERE cancelling IS NOT NULL AND status = 'running'`,
    );
    this.version = database.prepare<{ data_version: number }>('PRAGMA data_version');
  }

  find(taskId: string): SqliteRow | undefined {
    const row = this.ids.rowOf(taskId);
    const found = row < 0 ? undefined : this.byRow.get(row);
    return found?.task_id === taskId ? found : this.byChosenId.get(taskId);
  }

  at(id: number): SqliteRow | undefined {
    return this.byRow.get(id);
  }

  isThere(id: number): boolean {
    return this.exists.get(id) !== undefined;
  }

  /** Whether an id that was not found has been generated for this file. */
  wasIssued(taskId: string): boolean {
    const row = this.ids.rowOf(taskId);
    return row > 0 && row <= this.lastNumber();
  }

  /** The arguments' text; `null` if it is missing. */
  argsOf(id: number): string | null {
    return this.args.get(id)?.args ?? null;
  }

  /** @throws {PayloadError} if the arguments are missing: another program has deleted them. */
  largeArgsOf(id: number): string {
    const found = this.largeArgs.get(id);
    if (found !== undefined) return found.args;
    throw new PayloadError('args', `the file holds no arguments for the job in row ${id}`);
  }

  logsOf(id: number): LogLine[] {
    return this.logs.all(id);
  }

  /** When the next job of a queue is due: 0 for now, `null` for none. Running jobs do not count. */
  nextDue(queue: string): number | null {
    return this.waiting.get(queue) === undefined ? (this.delayed.get(queue)?.due_at ?? null) : 0;
  }

  pendingCount(): number {
    return this.pending.get()?.jobs ?? 0;
  }

  allCounts(): CountRow[] {
    return this.counts.all();
  }

  /** The rows of the next jobs that finished after `order`, in that order. */
  finishedAfter(order: number, limit: number): { id: number; finish_order: number }[] {
    return this.finished.all(order, limit);
  }

  /** All running jobs that have been cancelled, of all processes. */
  cancellations(): CancellationRow[] {
    return this.cancelling.all();
  }

  /** The last number of the file's sequence: every job that finishes later has a higher one. */
  lastNumber(): number {
    return this.last.get()?.value ?? 0;
  }

  /** Changes whenever another connection has written: https://sqlite.org/pragma.html#pragma_data_version */
  dataVersion(): number {
    return this.version.get()?.data_version ?? 0;
  }
}
