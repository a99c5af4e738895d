import type { SqliteDatabase } from '../file/driver.js';
import type { ControlWrites } from './control-writes.js';
import type { Counters } from './counters.js';
import type { JournalRows } from './journal-rows.js';
import { leaseEnd } from './lease-writes.js';
import { CLAIMED_COLUMNS, type ClaimedRow } from './sqlite-attempt.js';

/** Delayed jobs that are due are moved among the waiting ones in steps of this many. */
const MAX_PROMOTED = 500;

/** Claims jobs, and releases claimed jobs that were not started. */
export class ClaimWrites {
  private readonly findDue;
  private readonly setPlace;
  private readonly first;
  private readonly take;
  private readonly restore;
  private readonly cancelling;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly control: ControlWrites,
    private readonly journals: JournalRows,
  ) {
    this.findDue = database.prepare<{ id: number }>(
      'SELECT id FROM jobs WHERE queue = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?',
    );
    this.setPlace = database.prepare('UPDATE jobs SET place = ?, due_at = NULL WHERE id = ?');
    this.first = database.prepare<ClaimedRow>(
      `SELECT ${CLAIMED_COLUMNS} FROM jobs WHERE queue = ? AND place IS NOT NULL ORDER BY priority, place LIMIT ?`,
    );
    this.take = database.prepare(
      `UPDATE jobs SET status = 'running', place = NULL, leased_until = ?, started_at = ?, claims = claims + 1
       WHERE id = ?`,
    );
    this.restore = database.prepare(
      `UPDATE jobs SET status = ?, place = ?, leased_until = NULL, started_at = ?
       WHERE id = ? AND claims = ? AND status = 'running' AND cancelling IS NULL`,
    );
    this.cancelling = database.prepare<{ cancelling: string | null; appended: number | null }>(
      `SELECT cancelling, appended FROM jobs WHERE id = ? AND claims = ? AND status = 'running'`,
    );
  }

  /**
   * Claims the first waiting jobs of a queue: at most `limit` to start now, and at most `prefetch` more to start
   * soon. A job that was rescued from a dead worker is claimed alone, so that it is known to have begun: if this
   * worker dies as well, no other job is suspected of having killed it.
   */
  claim(queue: string, limit: number, prefetch: number, now: number, leasedUntil: number): ClaimedRow[] {
    this.promote(queue, now);
    const rows = this.first.all(queue, limit + prefetch);
    const rescued = rows.findIndex(({ rescues }) => rescues !== 0);
    const claimed = rescued < 0 ? rows : rows.slice(0, Math.max(rescued, 1));
    return claimed.map((row, index) => {
      this.take.run(leaseEnd(leasedUntil, index === 0), now, row.id);
      this.counters.move(queue, row.status, 'running');
      return { ...row, claims: row.claims + 1 };
    });
  }

  /**
   * Releases prefetched jobs that were not started: each gets its former place. Jobs that have been cancelled
   * meanwhile end instead, and their rows are returned, unless an attempt has to undo steps first.
   */
  release(rows: readonly ClaimedRow[], now: number): number[] {
    const cancelled: number[] = [];
    for (const row of rows) {
      if (this.putBack(row)) continue;
      const { cancelling: reason = null, appended = null } = this.cancelling.get(row.id, row.claims) ?? {};
      if (reason === null) continue;
      if (appended !== null) {
        this.journals.postCancellation(row.id, reason);
        this.putBack(row);
        continue;
      }
      this.control.endCancelled({ ...row, status: 'running' }, reason, now);
      cancelled.push(row.id);
    }
    return cancelled;
  }

  private putBack(row: ClaimedRow): boolean {
    if (this.restore.run(row.status, row.place, row.started_at, row.id, row.claims) === 0) return false;
    this.counters.move(row.queue, 'running', row.status);
    return true;
  }

  /** Delayed jobs get their places in the order in which they become due. */
  private promote(queue: string, now: number): void {
    for (const { id } of this.findDue.all(queue, now, MAX_PROMOTED))
      this.setPlace.run(this.counters.next(), id);
  }
}
