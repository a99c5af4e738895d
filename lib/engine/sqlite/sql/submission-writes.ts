import { payloadToText } from '../../../job/payload/payload-text.js';
import { type Accepted, type Dedupe, Duplicate, type NewJob } from '../../../job/job.js';
import type { DedupeWrites } from './dedupe-writes.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { Ledger } from './counters.js';
import type { RetentionWrites } from './retention-writes.js';
import { timeAfter } from './time-after.js';
import type { SqliteIds } from '../sqlite-id.js';

/** Longer arguments lie in a table of their own. A page holds 4,096 bytes. */
const MAX_INLINE_ARGS = 2_000;

/** A job whose parts have been put into the form in which they are stored. */
export interface StoredJob {
  readonly job: NewJob;
  readonly args: string;
  readonly overrides: string | null;
  readonly metadata: string | null;
}

interface IdRow {
  readonly id: number;
  readonly finished_at: number | null;
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
  private readonly minted;
  private readonly chosen;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly ids: SqliteIds,
    private readonly keys: DedupeWrites,
    private readonly retention: RetentionWrites,
  ) {
    this.insertJob = database.prepare(
      `INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, due_at, submitted_at, args, overrides)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)`,
    );
    this.addRare = database.prepare('UPDATE jobs SET metadata = ?, keyed = ?, own_key = ? WHERE id = ?');
    // The index of chosen ids does not hold the id of a job that chose none.
    this.minted = database.prepare<IdRow>('SELECT id, finished_at FROM jobs WHERE id = ? AND task_id = ?');
    this.chosen = database.prepare<IdRow>(
      'SELECT id, finished_at FROM jobs WHERE task_id = ? AND chosen = 1',
    );
    this.setArgs = database.prepare('INSERT OR REPLACE INTO large_args (job, args) VALUES (?, ?)');
    this.dropArgs = database.prepare('DELETE FROM large_args WHERE job = ?');
    this.replace = database.prepare(
      'UPDATE jobs SET args = ?, overrides = ?, metadata = ?, due_at = ? WHERE id = ?',
    );
  }

  /** Stores the job, or finds the one that has its chosen id, or stands in its place by its key. */
  insert(stored: StoredJob, now: number): Accepted {
    const { job, args, overrides, metadata } = stored;
    if (job.taskId !== undefined && !this.freeId(job.taskId, now)) return new Duplicate(job.taskId);
    if (job.dedupe !== undefined) {
      const taskId = this.insteadOf(stored, job.dedupe, now);
      if (taskId !== null) return new Duplicate(taskId);
    }
    const id = this.ledger.next();
    const taskId = job.taskId ?? this.ids.mint(id);
    const inline = args.length <= MAX_INLINE_ARGS;
    const delayed = job.delay > 0;
    this.insertJob.run(
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
    const other = taskId === undefined ? undefined : this.withId(taskId);
    if (other !== undefined && !this.retention.hasExpired(other, now)) return true;
    return dedupe !== undefined && this.keys.standIn(dedupe, now) !== null;
  }

  /** The id of the job that makes one with a key superfluous, `null` if none does. */
  private insteadOf(stored: StoredJob, dedupe: Dedupe, now: number): string | null {
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

  /** Whether no job has this id. One that had it is dropped if its result is older than it may be. */
  private freeId(taskId: string, now: number): boolean {
    const other = this.withId(taskId);
    if (other === undefined) return true;
    return this.retention.hasExpired(other, now) && this.retention.remove(other.id);
  }

  private withId(taskId: string): IdRow | undefined {
    const row = this.ids.rowOf(taskId);
    return (row < 0 ? undefined : this.minted.get(row, taskId)) ?? this.chosen.get(taskId);
  }
}

/** A throttled key stands for its time, whatever becomes of the job. */
function ownKeyOf(dedupe: Dedupe | undefined): string | null {
  return dedupe === undefined || dedupe.mode === 'throttle' ? null : dedupe.key;
}
