import type { DedupeWrites } from './dedupe-writes.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { Ledger } from './counters.js';

interface FailedRow {
  readonly task_id: string;
  readonly queue: string;
  readonly own_key: string | null;
}

/** Puts failed jobs back into line. */
export class RedriveWrites {
  private readonly failed;
  private readonly renew;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly keys: DedupeWrites,
  ) {
    this.failed = database.prepare<FailedRow>(
      `SELECT task_id, queue, own_key FROM jobs WHERE id = ? AND status = 'failed'`,
    );
    // Its claims go on counting: an attempt of before must not pass for one of after.
    this.renew = database.prepare(
      `UPDATE jobs SET status = 'pending', place = ?, retries = 0, rescues = 0, progress = NULL, started_at = NULL,
                       finished_at = NULL, finish_order = NULL, failed = NULL, cancelling = NULL
       WHERE id = ?`,
    );
  }

  /** To the end of the line, with all its retries. Says `false`, and changes nothing, if the job has not failed. */
  redrive(id: number, now: number): boolean {
    const found = this.failed.get(id);
    if (found === undefined) return false;
    const { task_id: taskId, queue, own_key: key } = found;
    if (key !== null) this.keys.takeBack(key, id, taskId, now);
    this.renew.run(this.ledger.next(), id);
    this.ledger.moved(queue, 'failed', 'pending');
    return true;
  }
}
