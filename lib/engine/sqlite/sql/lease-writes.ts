import { type TaskStatus, waitingStatus } from '../../../job/status.js';
import type { CancelWrites } from './cancel-writes.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import { HAS_BEGUN, leaseEnd } from './lease-end.js';
import type { Ledger } from './counters.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** In place of the number of rescues: there was one, of an attempt that is not known to have begun. */
const SUSPECT = -1;

/** Jobs of dead workers are taken over this many at a time. */
const MAX_RESCUED = 500;

interface LeasedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly started_at: number | null;
  readonly retries: number;
  readonly cancelling: string | null;
}

/** What has become of dead workers' jobs. */
export interface Rescue {
  /** How many are in line again. */
  readonly inLine: number;
  /** The rows of those that have been cancelled before, and are over. */
  readonly over: readonly number[];
}

/** Keeps running jobs with their workers while those live, and no longer. */
export class LeaseWrites {
  private readonly extend;
  private readonly takeBack;
  private readonly ended;
  private readonly release;
  private readonly shorten;
  private readonly longest;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly cancels: CancelWrites,
  ) {
    this.extend = database.prepare(
      `UPDATE jobs SET leased_until = ? WHERE id = ? AND claims = ? AND status = 'running'`,
    );
    this.takeBack = database.prepare(
      `UPDATE jobs SET status = 'running', place = NULL, leased_until = ?, rescues = ?
       WHERE id = ? AND claims = ? AND status IN ('pending', 'retrying') AND rescues IN (?, ?)`,
    );
    this.ended = database.prepare<LeasedRow>(
      `SELECT id, queue, status, started_at, retries, cancelling FROM jobs
       WHERE leased_until <= ? ORDER BY leased_until LIMIT ?`,
    );
    // What is not known to have begun is not counted, but it is a suspect from now on, which it is once only.
    this.release = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, place = id,
                       rescues = CASE WHEN ${HAS_BEGUN} OR rescues <> 0 THEN max(rescues, 0) + 1 ELSE ${SUSPECT} END
       WHERE id = ?`,
    );
    this.shorten = database.prepare(
      'UPDATE jobs SET leased_until = ? - (leased_until - ?) % 2 WHERE leased_until > ?',
    );
    this.longest = database.prepare(`UPDATE numbers SET value = max(value, ?) WHERE name = 'longest_lease'`);
  }

  /**
   * Says `false` if somebody else has taken the job since. One that was put back into line, while
   * this process stood still, and that nobody has taken yet, it keeps.
   */
  renew({ row, startedAt }: SqliteAttempt, leasedUntil: number): boolean {
    const { id, claims, rescues } = row;
    const until = leaseEnd(leasedUntil, startedAt > 0);
    if (this.extend.run(until, id, claims) > 0) return true;
    // A rescue, by which it has one more than when it was taken, and not an outcome of its own, put it back.
    const counted = Math.max(rescues, 0) + 1;
    const uncounted = rescues === 0 ? SUSPECT : counted;
    if (this.takeBack.run(until, rescues, id, claims, counted, uncounted) === 0) return false;
    this.ledger.moved(row.queue, waitingStatus(row.retries), 'running');
    return true;
  }

  /**
   * Puts jobs whose lease has ended back into line, or ends them, if they have been cancelled; but
   * for those that this process holds itself: it was merely late.
   */
  rescue(now: number, holds: (id: number) => boolean): Rescue {
    const over: number[] = [];
    const dead = this.ended.all(now, MAX_RESCUED).filter(({ id }) => !holds(id));
    for (const row of dead) {
      if (row.cancelling !== null) {
        this.cancels.end(row, row.cancelling, now);
        over.push(row.id);
        continue;
      }
      const status = waitingStatus(row.retries);
      this.release.run(status, row.id);
      this.ledger.moved(row.queue, 'running', status);
    }
    return { inLine: dead.length - over.length, over };
  }

  /** Tells all who share the file how long the leases of this process are. */
  announce(lease: number): void {
    this.longest.run(lease);
  }

  /** Cuts leases that end later than any lease can: they were given before the clock was set back. */
  clamp(latest: number): void {
    this.shorten.run(latest, latest, latest);
  }
}
