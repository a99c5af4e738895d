import { type TaskStatus, isFinal } from '../../../job/status.js';
import type { Dedupe } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import { timeAfter } from './time-after.js';

/** A key, and its job as far as that still lies in the file. */
interface KeyRow {
  readonly job: number;
  readonly task_id: string;
  readonly until: number | null;
  readonly status: TaskStatus | null;
  readonly due_at: number | null;
  readonly started_at: number | null;
}

/** The job that stands in the place of another one. */
export interface StandIn {
  readonly row: number;
  readonly taskId: string;
}

/** The keys under which jobs stand for each other. */
export class DedupeWrites {
  private readonly find;
  private readonly take;

  constructor(database: SqliteDatabase) {
    this.find = database.prepare<KeyRow>(
      `SELECT job, dedupe_keys.task_id, until, status, due_at, started_at
       FROM dedupe_keys LEFT JOIN jobs ON jobs.id = dedupe_keys.job WHERE key = ?`,
    );
    this.take = database.prepare(
      `INSERT INTO dedupe_keys (key, job, task_id, until) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET job = excluded.job, task_id = excluded.task_id, until = excluded.until`,
    );
  }

  /** The job that was added with the same key, if it stands in the place of one that is added now. */
  standIn({ key, mode }: Dedupe, now: number): StandIn | null {
    const row = this.find.get(key);
    if (row === undefined || !stands(row, now)) return null;
    return mode !== 'debounce' || isUntouched(row) ? { row: row.job, taskId: row.task_id } : null;
  }

  /** From now on the job of that row stands for others with its key. */
  hold({ key, mode, ttl }: Dedupe, row: number, taskId: string, now: number): void {
    this.take.run(key, row, taskId, mode === 'throttle' ? timeAfter(now, ttl) : null);
  }

  /** A job that waits again takes its key back, unless another one stands for it by now. */
  takeBack(key: string, row: number, taskId: string, now: number): void {
    const standing = this.find.get(key);
    if (standing === undefined || !stands(standing, now)) this.take.run(key, row, taskId, null);
  }
}

function stands({ status, until }: KeyRow, now: number): boolean {
  return until === null ? status !== null && !isFinal(status) : until > now;
}

/** Delayed, and never started. */
function isUntouched({ due_at: dueAt, started_at: startedAt }: KeyRow): boolean {
  return dueAt !== null && startedAt === null;
}
