import { type JobReport, type LogLine, MAX_LOG_LINES, type TaskStatus } from '../../../job/job.js';
import { payloadToText } from '../../../job/payload/payload-text.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';
import type { DedupeWrites } from './dedupe-writes.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** The columns of an unfinished job that {@link ControlWrites.endCancelled} needs. */
export interface UnfinishedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly started_at: number | null;
}

/** A report in its stored form. */
export interface EncodedReport {
  readonly progress: string | null;
  readonly lines: readonly LogLine[];
}

export function encodeReport({ progress, lines }: JobReport): EncodedReport {
  return { progress: progress === undefined ? null : payloadToText(progress), lines };
}

interface FailedRow {
  readonly task_id: string;
  readonly queue: string;
  readonly own_key: string | null;
}

/** Cancels jobs, retries failed ones for an operator, and stores reports of running attempts. */
export class ControlWrites {
  private readonly endJob;
  private readonly mark;
  private readonly findFailed;
  private readonly retryJob;
  private readonly updateProgress;
  private readonly insertLine;
  private readonly deleteLines;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly keys: DedupeWrites,
  ) {
    this.endJob = database.prepare(
      `UPDATE jobs SET status = 'cancelled', place = NULL, due_at = NULL, leased_until = NULL, cancelling = NULL,
                       started_at = ?, finished_at = ?, finish_order = ?, reason = ?
       WHERE id = ?`,
    );
    this.mark = database.prepare(
      `UPDATE jobs SET cancelling = ? WHERE id = ? AND status = 'running' AND cancelling IS NULL`,
    );
    this.findFailed = database.prepare<FailedRow>(
      `SELECT task_id, queue, own_key FROM jobs WHERE id = ? AND status = 'failed'`,
    );
    // `claims` is not reset: an attempt from before the retry must not match a later claim.
    this.retryJob = database.prepare(
      `UPDATE jobs SET status = 'pending', place = ?, retries = 0, rescues = 0, progress = NULL, started_at = NULL,
                       finished_at = NULL, finish_order = NULL, failed = NULL, cancelling = NULL
       WHERE id = ?`,
    );
    this.updateProgress = database.prepare<{ lines: number | null }>(
      `UPDATE jobs SET progress = coalesce(?, progress), lines = nullif(coalesce(lines, 0) + ?, 0)
       WHERE id = ? AND claims = ? AND status = 'running' RETURNING lines`,
    );
    this.insertLine = database.prepare(
      'INSERT INTO logs (job, number, at, attempt, line) VALUES (?, ?, ?, ?, ?)',
    );
    this.deleteLines = database.prepare('DELETE FROM logs WHERE job = ? AND number <= ?');
  }

  /** Ends a job as cancelled. It must be waiting, or its worker must be dead. */
  endCancelled(
    { id, queue, status, started_at: startedAt }: UnfinishedRow,
    reason: string,
    now: number,
  ): void {
    this.endJob.run(startedAt, now, this.counters.next(), reason, id);
    this.counters.move(queue, status, 'cancelled');
  }

  /** Marks a running job as cancelled, so that no process runs it again. The first reason is kept. */
  markCancelled(id: number, reason: string): void {
    this.mark.run(reason, id);
  }

  /**
   * Makes a failed job wait again, behind the others and with all its retries. Returns `false`, and changes
   * nothing, if the job has not failed.
   */
  retry(id: number, now: number): boolean {
    const failed = this.findFailed.get(id);
    if (failed === undefined) return false;
    const { task_id: taskId, queue, own_key: key } = failed;
    if (key !== null) this.keys.holdAgain(key, id, taskId, now);
    this.retryJob.run(this.counters.next(), id);
    this.counters.move(queue, 'failed', 'pending');
    return true;
  }

  /** Stores a report. Changes nothing if the attempt is no longer the job's current one. */
  report({ row }: SqliteAttempt, { progress, lines }: EncodedReport): void {
    const updated = this.updateProgress.get(progress, lines.length, row.id, row.claims);
    if (updated === undefined) return;
    const total = updated.lines ?? 0;
    const kept = lines.slice(-MAX_LOG_LINES);
    kept.forEach(({ at, attempt, line }, index) =>
      this.insertLine.run(row.id, total - kept.length + index + 1, at, attempt, line),
    );
    if (kept.length > 0 && total > MAX_LOG_LINES) this.deleteLines.run(row.id, total - MAX_LOG_LINES);
  }
}
