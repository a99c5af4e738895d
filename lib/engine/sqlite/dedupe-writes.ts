import type { TaskStatus } from '../../core/task-result.js';
import { isFinal } from '../../core/task-snapshot.js';
import type { Dedupe } from '../engine.interface.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import { timeAfter } from './time-after.js';

/** A key, and its job as far as that still lies in the file. */
interface KeyRow {
  readonly job: number;
  readonly task_id: string;
  readonly until: number | null;
  readonly status: TaskStatus | null;
  readonly due_at: number | null;
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
      `SELECT job, dedupe_keys.task_id, until, status, due_at
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
    return row !== undefined && stands(row, mode, now) ? { row: row.job, taskId: row.task_id } : null;
  }

  /** From now on the job of that row stands for others with its key. */
  hold({ key, mode, ttl }: Dedupe, row: number, taskId: string, now: number): void {
    this.take.run(key, row, taskId, mode === 'throttle' ? timeAfter(now, ttl) : null);
  }
}

function stands({ status, until, due_at: dueAt }: KeyRow, mode: Dedupe['mode'], now: number): boolean {
  switch (mode) {
    case 'ignore':
      return status !== null && !isFinal(status);
    case 'throttle':
      return until !== null && until > now;
    case 'debounce':
      return status === 'pending' && dueAt !== null;
  }
}
