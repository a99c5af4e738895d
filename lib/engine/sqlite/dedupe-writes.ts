import type { TaskStatus } from '../../core/task-result.js';
import { isFinal } from '../../core/task-snapshot.js';
import type { Dedupe } from '../engine.interface.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import { timeAfter } from './time-after.js';

/** A key, and its job as far as that still lies in the file. */
interface KeyRow {
  readonly mode: Dedupe['mode'];
  readonly job: number;
  readonly task_id: string;
  readonly until: number | null;
  readonly status: TaskStatus | null;
  readonly due_at: number | null;
  readonly claims: number | null;
}

/** The job that stands in the place of another one. */
export interface StandIn {
  readonly row: number;
  readonly taskId: string;
  /** Whether what it is to do may still be replaced. */
  readonly delayed: boolean;
}

/** The keys under which jobs stand for each other. */
export class DedupeWrites {
  private readonly find;
  private readonly take;

  constructor(database: SqliteDatabase) {
    this.find = database.prepare<KeyRow>(
      `SELECT mode, job, dedupe_keys.task_id, until, status, due_at, claims
       FROM dedupe_keys LEFT JOIN jobs ON jobs.id = dedupe_keys.job WHERE key = ?`,
    );
    this.take = database.prepare(
      `INSERT INTO dedupe_keys (key, mode, job, task_id, until) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET mode = excluded.mode, job = excluded.job,
                                 task_id = excluded.task_id, until = excluded.until`,
    );
  }

  /** The job that was added with the same key, if it still stands for others. */
  standIn({ key }: Dedupe, now: number): StandIn | null {
    const row = this.find.get(key);
    if (row === undefined || !stands(row, now)) return null;
    return { row: row.job, taskId: row.task_id, delayed: isDelayed(row, now) };
  }

  /** From now on the job of that row stands for others with its key. */
  hold({ key, mode, ttl }: Dedupe, row: number, taskId: string, now: number): void {
    this.take.run(key, mode, row, taskId, mode === 'throttle' ? timeAfter(now, ttl) : null);
  }
}

function stands(row: KeyRow, now: number): boolean {
  switch (row.mode) {
    case 'ignore':
      return row.status !== null && !isFinal(row.status);
    case 'throttle':
      return row.until !== null && row.until > now;
    case 'debounce':
      return isDelayed(row, now);
  }
}

/** One that has run before is put off, not delayed: what it does is settled. */
function isDelayed({ status, due_at: dueAt, claims }: KeyRow, now: number): boolean {
  return status === 'pending' && claims === 0 && dueAt !== null && dueAt > now;
}
