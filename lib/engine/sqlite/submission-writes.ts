import { payloadToText } from '../../core/payload/payload-text.js';
import { type Accepted, type Dedupe, Duplicate, type NewJob } from '../engine.interface.js';
import type { DedupeWrites } from './dedupe-writes.js';
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
  readonly metadata: string | null;
}

/** Done before the transaction, so that it is short, and so that what has no form refuses only its own job. */
export function storedForm(job: NewJob): StoredJob {
  return {
    job,
    args: payloadToText(job.args),
    overrides: job.overrides === undefined ? null : payloadToText(job.overrides),
    metadata: job.metadata === undefined ? null : payloadToText(job.metadata),
  };
}

/** Puts jobs into the file. */
export class SubmissionWrites {
  private readonly insertJob;
  private readonly addRare;
  private readonly setArgs;
  private readonly dropArgs;
  private readonly replace;
  private readonly idAt;
  private readonly chosen;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly ids: SqliteIds,
    private readonly keys: DedupeWrites,
  ) {
    this.insertJob = database.prepare(
      `INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, due_at, submitted_at, args, overrides)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)
       ON CONFLICT (task_id) WHERE chosen = 1 DO NOTHING`,
    );
    this.addRare = database.prepare('UPDATE jobs SET metadata = ?, keyed = ?, own_key = ? WHERE id = ?');
    this.idAt = database.prepare<{ task_id: string }>('SELECT task_id FROM jobs WHERE id = ?');
    this.chosen = database.prepare('SELECT 1 FROM jobs WHERE task_id = ? AND chosen = 1');
    this.setArgs = database.prepare('INSERT OR REPLACE INTO large_args (job, args) VALUES (?, ?)');
    this.dropArgs = database.prepare('DELETE FROM large_args WHERE job = ?');
    this.replace = database.prepare(
      'UPDATE jobs SET args = ?, overrides = ?, metadata = ?, due_at = ? WHERE id = ?',
    );
  }

  /** Stores the job, or finds the one that has its chosen id, or stands in its place by its key. */
  insert(stored: StoredJob, now: number): Accepted {
    const { job, args, overrides, metadata } = stored;
    if (job.taskId !== undefined && this.isMinted(job.taskId)) return new Duplicate(job.taskId);
    if (job.dedupe !== undefined) {
      const taskId = this.insteadOf(stored, job.dedupe, now);
      if (taskId !== null) return new Duplicate(taskId);
    }
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
    if (inserted === 0) return new Duplicate(taskId);
    if (!inline) this.setArgs.run(id, args);
    // Apart from the rest, so that it costs only those who bring it.
    if (metadata !== null || job.dedupe !== undefined)
      this.addRare.run(metadata, job.dedupe === undefined ? null : 1, ownKeyOf(job.dedupe), id);
    if (job.dedupe !== undefined) this.keys.hold(job.dedupe, id, taskId, now);
    this.ledger.count(job.queue, 'pending', 1);
    return taskId;
  }

  /** Whether there is one that `insert` would find, at this moment. */
  hasStandIn({ taskId, dedupe }: NewJob, now: number): boolean {
    if (taskId !== undefined && (this.isMinted(taskId) || this.chosen.get(taskId) !== undefined)) return true;
    return dedupe !== undefined && this.keys.standIn(dedupe, now) !== null;
  }

  /** The id of the job that makes one with a key superfluous, `null` if none does. */
  private insteadOf(stored: StoredJob, dedupe: Dedupe, now: number): string | null {
    const { taskId } = stored.job;
    if (taskId !== undefined && this.chosen.get(taskId) !== undefined) return taskId;
    const other = this.keys.standIn(dedupe, now);
    if (other === null) return null;
    if (dedupe.mode === 'debounce') this.refill(other.row, stored, now);
    return other.taskId;
  }

  /** A delayed job is to do what was asked for last. */
  private refill(id: number, { job, args, overrides, metadata }: StoredJob, now: number): void {
    const inline = args.length <= MAX_INLINE_ARGS;
    this.replace.run(inline ? args : null, overrides, metadata, timeAfter(now, job.delay), id);
    if (inline) this.dropArgs.run(id);
    else this.setArgs.run(id, args);
  }

  /** Whether somebody gives the id of a job that chose none: the index of chosen ids does not know it. */
  private isMinted(taskId: string): boolean {
    const row = this.ids.rowOf(taskId);
    return row >= 0 && this.idAt.get(row)?.task_id === taskId;
  }
}

/** A throttled key stands for its time, whatever becomes of the job. */
function ownKeyOf(dedupe: Dedupe | undefined): string | null {
  return dedupe === undefined || dedupe.mode === 'throttle' ? null : dedupe.key;
}
