import { type Dedupe, isFinal, type TaskStatus } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver.js';
import { timeAfter } from './job-row.js';

/** A dedupe key, with columns of its job if the job's row still exists. */
interface KeyRow {
  readonly job: number;
  readonly task_id: string;
  readonly until: number | null;
  readonly status: TaskStatus | null;
  readonly due_at: number | null;
  readonly started_at: number | null;
}

/** The job that holds a key. */
export interface KeyHolder {
  readonly row: number;
  readonly taskId: string;
}

/** Reads and writes `dedupe_keys`. The rules of a key: see `Dedupe`. */
export class DedupeWrites {
  private readonly find;
  private readonly put;

  constructor(database: SqliteDatabase) {
    this.find = database.prepare<KeyRow>(
      `SELECT job, dedupe_keys.task_id, until, status, due_at, started_at
       FROM dedupe_keys LEFT JOIN jobs ON jobs.id = dedupe_keys.job WHERE key = ?`,
    );
    this.put = database.prepare(
      `INSERT INTO dedupe_keys (key, job, task_id, until) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET job = excluded.job, task_id = excluded.task_id, until = excluded.until`,
    );
  }

  /** The existing job that takes the place of a submission with this key; `null` for none. */
  existing({ key, mode }: Dedupe, now: number): KeyHolder | null {
    const row = this.find.get(key);
    if (row === undefined || !isHeld(row, now)) return null;
    return mode !== 'debounce' || isUntouched(row) ? { row: row.job, taskId: row.task_id } : null;
  }

  /** The job in this row holds the key from now on. */
  hold({ key, mode, ttl }: Dedupe, row: number, taskId: string, now: number): void {
    this.put.run(key, row, taskId, mode === 'throttle' ? timeAfter(now, ttl) : null);
  }

  /** A job that waits again holds its key again, unless another job holds the key now. */
  holdAgain(key: string, row: number, taskId: string, now: number): void {
    const existing = this.find.get(key);
    if (existing === undefined || !isHeld(existing, now)) this.put.run(key, row, taskId, null);
  }
}

function isHeld({ status, until }: KeyRow, now: number): boolean {
  return until === null ? status !== null && !isFinal(status) : until > now;
}

/** Whether the job is delayed and was never started. */
function isUntouched({ due_at: dueAt, started_at: startedAt }: KeyRow): boolean {
  return dueAt !== null && startedAt === null;
}
