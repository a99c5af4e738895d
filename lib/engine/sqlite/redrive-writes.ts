import type { SqliteDatabase } from './driver/driver.interface.js';
import type { Ledger } from './ledger.js';

/** Puts failed jobs back into line. */
export class RedriveWrites {
  private readonly queueOf;
  private readonly renew;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
  ) {
    this.queueOf = database.prepare<{ queue: string }>(
      `SELECT queue FROM jobs WHERE id = ? AND status = 'failed'`,
    );
    // Its claims go on counting: an attempt of before must not pass for one of after.
    this.renew = database.prepare(
      `UPDATE jobs SET status = 'pending', place = ?, retries = 0, rescues = 0, progress = NULL,
                       finished_at = NULL, finish_order = NULL, failed = NULL, cancelling = NULL
       WHERE id = ?`,
    );
  }

  /** To the end of the line, with all its retries. Says `false`, and changes nothing, if the job has not failed. */
  redrive(id: number): boolean {
    const found = this.queueOf.get(id);
    if (found === undefined) return false;
    this.renew.run(this.ledger.next(), id);
    this.ledger.moved(found.queue, 'failed', 'pending');
    return true;
  }
}
