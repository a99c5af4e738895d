import { payloadToText } from '../../core/payload/payload-text.js';
import type { NewJob } from '../engine.interface.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import type { Ledger } from './ledger.js';
import { timeAfter } from './time-after.js';
import type { SqliteIds } from './sqlite-id.js';

/** Longer arguments lie in a table of their own. A page holds 4,096 bytes. */
const MAX_INLINE_ARGS = 2_000;

/** A job whose parts have been put into the form in which they are stored. */
export interface StoredJob {
  readonly job: NewJob;
  readonly args: string;
  readonly overrides: string | null;
}

/** Done before the transaction, so that it is short, and so that what has no form refuses only its own job. */
export function storedForm(job: NewJob): StoredJob {
  return {
    job,
    args: payloadToText(job.args),
    overrides: job.overrides === undefined ? null : payloadToText(job.overrides),
  };
}

/** Puts jobs into the file. */
export class SubmissionWrites {
  private readonly insertJob;
  private readonly insertArgs;
  private readonly idAt;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly ids: SqliteIds,
  ) {
    this.insertJob = database.prepare(
      `INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, due_at, submitted_at, args, overrides)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)
       ON CONFLICT (task_id) WHERE chosen = 1 DO NOTHING`,
    );
    this.idAt = database.prepare<{ task_id: string }>('SELECT task_id FROM jobs WHERE id = ?');
    this.insertArgs = database.prepare('INSERT INTO large_args (job, args) VALUES (?, ?)');
  }

  /** Stores the job, or finds the one that has its chosen id, and returns the id. */
  insert({ job, args, overrides }: StoredJob, now: number): string {
    if (job.taskId !== undefined && this.isMinted(job.taskId)) return job.taskId;
    const id = this.ledger.next();
    const taskId = job.taskId ?? this.ids.mint(id);
    const inline = args.length <= MAX_INLINE_ARGS;
    const delayed = job.delay > 0;
    const inserted = this.insertJob.run(
      id,
      taskId,
      job.taskId === undefined ? 0 : 1,
      job.taskName,
      job.queue,
      job.priority,
      delayed ? null : id,
      delayed ? timeAfter(now, job.delay) : null,
      now,
      inline ? args : null,
      overrides,
    );
    if (inserted === 0) return taskId;
    if (!inline) this.insertArgs.run(id, args);
    this.ledger.count(job.queue, 'pending', 1);
    return taskId;
  }

  /** Whether somebody gives the id of a job that chose none: the index of chosen ids does not know it. */
  private isMinted(taskId: string): boolean {
    const row = this.ids.rowOf(taskId);
    return row >= 0 && this.idAt.get(row)?.task_id === taskId;
  }
}
