import type { CancelWrites } from './cancel-writes.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import { leaseEnd } from './lease-end.js';
import type { Ledger } from './counters.js';
import type { ClaimedRow } from './sqlite-attempt.js';

/** Jobs that come due are moved into line this many at a time. */
const MAX_PROMOTED = 500;

const COLUMNS =
  'id, task_id, task, queue, status, priority, place, claims, rescues, retries, submitted_at, started_at, args, overrides, errors, metadata';

/** Hands jobs out: moves those that have come due into line, and takes the first of the line. */
export class ClaimWrites {
  private readonly findDue;
  private readonly line;
  private readonly front;
  private readonly take;
  private readonly return;
  private readonly cancelling;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly cancels: CancelWrites,
  ) {
    this.findDue = database.prepare<{ id: number }>(
      'SELECT id FROM jobs WHERE queue = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?',
    );
    this.line = database.prepare('UPDATE jobs SET place = ?, due_at = NULL WHERE id = ?');
    this.front = database.prepare<ClaimedRow>(
      `SELECT ${COLUMNS} FROM jobs WHERE queue = ? AND place IS NOT NULL ORDER BY priority, place LIMIT ?`,
    );
    this.take = database.prepare(
      `UPDATE jobs SET status = 'running', place = NULL, leased_until = ?, started_at = ?, claims = claims + 1
       WHERE id = ?`,
    );
    this.return = database.prepare(
      `UPDATE jobs SET status = ?, place = ?, leased_until = NULL, started_at = ?
       WHERE id = ? AND claims = ? AND status = 'running' AND cancelling IS NULL`,
    );
    this.cancelling = database.prepare<{ cancelling: string | null }>(
      `SELECT cancelling FROM jobs WHERE id = ? AND claims = ? AND status = 'running'`,
    );
  }

  /**
   * Takes the first jobs of a queue's line: `limit` at most, and up to `ahead` more, which are to
   * start a moment later. A job that a worker has died with is taken alone, so that it is known to have
   * begun: should this worker die as well, no job that merely waited beside it is its accomplice.
   */
  claim(queue: string, limit: number, ahead: number, now: number, leasedUntil: number): ClaimedRow[] {
    this.promote(queue, now);
    const rows = this.front.all(queue, limit + ahead);
    const suspect = rows.findIndex(({ rescues }) => rescues !== 0);
    const taken = suspect < 0 ? rows : rows.slice(0, Math.max(suspect, 1));
    return taken.map((row, index) => {
      this.take.run(leaseEnd(leasedUntil, index === 0), now, row.id);
      this.ledger.moved(queue, row.status, 'running');
      return { ...row, claims: row.claims + 1 };
    });
  }

  /**
   * Puts back what was taken ahead and never started, to where it was. What has been cancelled
   * meanwhile ends instead: returns the rows of those jobs.
   */
  putBack(rows: readonly ClaimedRow[], now: number): number[] {
    const over: number[] = [];
    for (const row of rows) {
      if (this.return.run(row.status, row.place, row.started_at, row.id, row.claims) > 0) {
        this.ledger.moved(row.queue, 'running', row.status);
        continue;
      }
      const reason = this.cancelling.get(row.id, row.claims)?.cancelling ?? null;
      if (reason === null) continue;
      this.cancels.end({ ...row, status: 'running' }, reason, now);
      over.push(row.id);
    }
    return over;
  }

  /** Delayed jobs take their places when they are due, in the order in which they come due. */
  private promote(queue: string, now: number): void {
    for (const { id } of this.findDue.all(queue, now, MAX_PROMOTED)) this.line.run(this.ledger.next(), id);
  }
}
