import { type Accepted, type Dedupe, Duplicate, type NewJob } from '../../../job/job.js';
import { payloadToText } from '../../../job/payload/payload-text.js';
import type { SqliteDatabase } from '../file/driver.js';
import { rowsFor } from '../file/group-commit.js';
import type { IdGenerator } from '../id-generator.js';
import type { Counters } from './counters.js';
import type { DedupeWrites } from './dedupe-writes.js';
import { timeAfter } from './job-row.js';
import type { RetentionWrites } from './retention-writes.js';

/** Longer arguments are stored in their own table. A database page holds 4,096 bytes. */
const MAX_INLINE_ARGS = 2_000;

/** A new job in its stored form. */
export interface EncodedJob {
  readonly job: NewJob;
  readonly args: string;
  readonly overrides: string | null;
  readonly metadata: string | null;
  /** A JSON list; `null` for none. */
  readonly tags: string | null;
  /** An estimate of the usual rows that it takes. */
  readonly rows: number;
}

/** Called before the transaction, so that the transaction is short, and an encoding error rejects only this job. */
export function encodeJob(job: NewJob): EncodedJob {
  const args = payloadToText(job.args);
  const metadata = job.metadata === undefined ? null : payloadToText(job.metadata);
  return {
    job,
    args,
    overrides: job.overrides === undefined ? null : payloadToText(job.overrides),
    metadata,
    tags: job.tags === undefined ? null : JSON.stringify(job.tags),
    rows: rowsFor(args) + (metadata === null ? 0 : rowsFor(metadata)) + (job.tags?.length ?? 0),
  };
}

interface IdRow {
  readonly id: number;
  readonly finished_at: number | null;
}

/** Adds jobs to the file. */
export class SubmissionWrites {
  private readonly insertJob;
  private readonly setExtras;
  private readonly setArgs;
  private readonly dropArgs;
  private readonly replace;
  private readonly insertTag;
  private readonly dropTags;
  private readonly byGeneratedId;
  private readonly byChosenId;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly ids: IdGenerator,
    private readonly keys: DedupeWrites,
    private readonly retention: RetentionWrites,
  ) {
    this.insertJob = database.prepare(
      `INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, due_at, submitted_at, args, overrides)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)`,
    );
    this.setExtras = database.prepare(
      'UPDATE jobs SET metadata = ?, keyed = ?, own_key = ?, tags = ? WHERE id = ?',
    );
    // The index of chosen ids does not contain generated ids.
    this.byGeneratedId = database.prepare<IdRow>(
      'SELECT id, finished_at FROM jobs WHERE id = ? AND task_id = ?',
    );
    this.byChosenId = database.prepare<IdRow>(
      'SELECT id, finished_at FROM jobs WHERE task_id = ? AND chosen = 1',
    );
    this.setArgs = database.prepare('INSERT OR REPLACE INTO large_args (job, args) VALUES (?, ?)');
    this.dropArgs = database.prepare('DELETE FROM large_args WHERE job = ?');
    this.replace = database.prepare(
      'UPDATE jobs SET args = ?, overrides = ?, metadata = ?, tags = ?, due_at = ? WHERE id = ?',
    );
    this.insertTag = database.prepare('INSERT OR IGNORE INTO job_tags (tag, job) VALUES (?, ?)');
    this.dropTags = database.prepare(
      `DELETE FROM job_tags WHERE job = ? AND tag IN (
         SELECT value FROM jobs, json_each(iif(json_valid(tags), tags, '[]')) WHERE jobs.id = ?)`,
    );
  }

  /** Adds the job, or finds the existing job with its id or its key. */
  insert(encoded: EncodedJob, now: number): Accepted {
    const { job, args, overrides, metadata, tags } = encoded;
    const { dedupe } = job;
    if (job.taskId !== undefined && !this.freeId(job.taskId, now)) return new Duplicate(job.taskId);
    if (dedupe !== undefined) {
      const taskId = this.deduplicate(encoded, dedupe, now);
      if (taskId !== null) return new Duplicate(taskId);
    }
    const id = this.counters.next();
    const taskId = job.taskId ?? this.ids.next(id);
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
    // A second statement, so that jobs without these columns do not pay for them.
    if (metadata !== null || dedupe !== undefined || tags !== null)
      this.setExtras.run(metadata, dedupe === undefined ? null : 1, ownKeyOf(dedupe), tags, id);
    if (job.tags !== undefined) this.tag(id, job.tags);
    if (dedupe !== undefined) this.keys.hold(dedupe, id, taskId, now);
    this.counters.add(job.queue, 'pending', 1);
    return taskId;
  }

  /** Whether `insert` would find an existing job now. */
  hasExisting({ taskId, dedupe }: NewJob, now: number): boolean {
    const other = taskId === undefined ? undefined : this.withId(taskId);
    if (other !== undefined && !this.retention.hasExpired(other, now)) return true;
    return dedupe !== undefined && this.keys.existing(dedupe, now) !== null;
  }

  /** The id of the existing job that takes the place of a job with a key; `null` for none. */
  private deduplicate(encoded: EncodedJob, dedupe: Dedupe, now: number): string | null {
    const existing = this.keys.existing(dedupe, now);
    if (existing === null) return null;
    if (dedupe.mode === 'debounce') this.debounce(existing.row, encoded, now);
    return existing.taskId;
  }

  /** Gives the arguments, overrides, metadata, tags and delay of a submission to the existing job. */
  private debounce(id: number, { job, args, overrides, metadata, tags }: EncodedJob, now: number): void {
    const inline = args.length <= MAX_INLINE_ARGS;
    this.dropTags.run(id, id);
    this.replace.run(inline ? args : null, overrides, metadata, tags, timeAfter(now, job.delay), id);
    if (job.tags !== undefined) this.tag(id, job.tags);
    if (inline) this.dropArgs.run(id);
    else this.setArgs.run(id, args);
  }

  private tag(id: number, tags: readonly string[]): void {
    for (const tag of tags) this.insertTag.run(tag, id);
  }

  /** Whether no job has this id. A job whose result has expired is dropped for it. */
  private freeId(taskId: string, now: number): boolean {
    const other = this.withId(taskId);
    if (other === undefined) return true;
    return this.retention.hasExpired(other, now) && this.retention.remove(other.id);
  }

  private withId(taskId: string): IdRow | undefined {
    const row = this.ids.rowOf(taskId);
    return (row < 0 ? undefined : this.byGeneratedId.get(row, taskId)) ?? this.byChosenId.get(taskId);
  }
}

/** The key that a retry by an operator restores. A throttled key is not restored: it depends on time alone. */
function ownKeyOf(dedupe: Dedupe | undefined): string | null {
  return dedupe === undefined || dedupe.mode === 'throttle' ? null : dedupe.key;
}
