import { payloadToText } from '../../../job/payload/payload-text.js';
import { type JobReport, type LogLine, MAX_LOG_LINES } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** A report whose parts have been put into the form in which they are stored. */
export interface StoredReport {
  readonly progress: string | null;
  readonly lines: readonly LogLine[];
}

export function storedReport({ progress, lines }: JobReport): StoredReport {
  return {
    progress: progress === undefined ? null : payloadToText(progress),
    lines,
  };
}

/** Keeps what running attempts say of themselves. */
export class ReportWrites {
  private readonly note;
  private readonly insertLine;
  private readonly forget;

  constructor(database: SqliteDatabase) {
    this.note = database.prepare<{ lines: number | null }>(
      `UPDATE jobs SET progress = coalesce(?, progress), lines = nullif(coalesce(lines, 0) + ?, 0)
       WHERE id = ? AND claims = ? AND status = 'running' RETURNING lines`,
    );
    this.insertLine = database.prepare(
      'INSERT INTO logs (job, number, at, attempt, line) VALUES (?, ?, ?, ?, ?)',
    );
    this.forget = database.prepare('DELETE FROM logs WHERE job = ? AND number <= ?');
  }

  /** Says `false`, and changes nothing, if the job is not that attempt's any more. */
  report({ row }: SqliteAttempt, { progress, lines }: StoredReport): boolean {
    const noted = this.note.get(progress, lines.length, row.id, row.claims);
    if (noted === undefined) return false;
    const total = noted.lines ?? 0;
    const kept = lines.slice(-MAX_LOG_LINES);
    kept.forEach(({ at, attempt, line }, index) =>
      this.insertLine.run(row.id, total - kept.length + index + 1, at, attempt, line),
    );
    if (kept.length > 0 && total > MAX_LOG_LINES) this.forget.run(row.id, total - MAX_LOG_LINES);
    return true;
  }
}
