import { type TaskStatus, waitingStatus } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { ControlWrites } from './control-writes.js';
import type { Counters } from './counters.js';
import type { JournalRows } from './journal-rows.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/**
 * The end of a lease is even if its attempt is known to have begun, and odd if it may not have begun. So a start
 * needs no write of its own. Known to have begun are the first job of a claim, which starts at once, and attempts
 * whose lease was renewed after their start.
 */
export function leaseEnd(until: number, begun: boolean): number {
  return until - (until % 2) - (begun ? 0 : 1);
}

const HAS_BEGUN = 'leased_until % 2 = 0';

/** The value of `rescues` after one rescue from an attempt that may not have begun: it is not counted. */
const SUSPECT = -1;

/** Jobs of dead workers are rescued in transactions of this many. */
const MAX_RESCUED = 500;

interface LeasedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly started_at: number | null;
  readonly retries: number;
  readonly cancelling: string | null;
  readonly appended: number | null;
}

export interface Rescue {
  /** How many jobs of dead workers wait again. */
  readonly waiting: number;
  /** The rows of those that had been cancelled and have no steps to undo: they have ended. */
  readonly cancelled: readonly number[];
}

/** Leases: a running job belongs to its worker until the lease ends, and then another worker may rescue the job. */
export class LeaseWrites {
  private readonly extend;
  private readonly reclaim;
  private readonly findEnded;
  private readonly release;
  private readonly last;
  private readonly shorten;
  private readonly longest;
  private readonly setLongest;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly control: ControlWrites,
    private readonly journals: JournalRows,
  ) {
    this.extend = database.prepare(
      `UPDATE jobs SET leased_until = ? WHERE id = ? AND claims = ? AND status = 'running'`,
    );
    this.reclaim = database.prepare(
      `UPDATE jobs SET status = 'running', place = NULL, leased_until = ?, rescues = ?
       WHERE id = ? AND claims = ? AND status IN ('pending', 'retrying') AND rescues IN (?, ?)`,
    );
    this.findEnded = database.prepare<LeasedRow>(
      `SELECT id, queue, status, started_at, retries, cancelling, appended FROM jobs
       WHERE leased_until <= ? ORDER BY leased_until LIMIT ?`,
    );
    // An attempt that may not have begun is not counted. The job is a suspect from then on, and the next rescue counts.
    this.release = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, place = id,
                       rescues = CASE WHEN ${HAS_BEGUN} OR rescues <> 0 THEN max(rescues, 0) + 1 ELSE ${SUSPECT} END
       WHERE id = ?`,
    );
    this.last = database.prepare<{ leased_until: number }>(
      'SELECT leased_until FROM jobs WHERE leased_until IS NOT NULL ORDER BY leased_until DESC LIMIT 1',
    );
    this.shorten = database.prepare(
      'UPDATE jobs SET leased_until = ? - (leased_until - ?) % 2 WHERE leased_until > ?',
    );
    this.longest = database.prepare<{ value: number }>(
      `SELECT value FROM numbers WHERE name = 'longest_lease'`,
    );
    this.setLongest = database.prepare(
      `UPDATE numbers SET value = max(value, ?) WHERE name = 'longest_lease'`,
    );
  }

  /**
   * Renews a lease. Returns `false` if another worker has claimed the job. A job that was rescued while this process
   * was suspended, and that no worker has claimed since, is claimed again under the same token.
   */
  renew({ row, startedAt }: SqliteAttempt, leasedUntil: number): boolean {
    const { id, claims, rescues } = row;
    const until = leaseEnd(leasedUntil, startedAt > 0);
    if (this.extend.run(until, id, claims) > 0) return true;
    // The number of rescues tells whether a rescue, and not an outcome of this attempt, made the job wait.
    const counted = Math.max(rescues, 0) + 1;
    const uncounted = rescues === 0 ? SUSPECT : counted;
    if (this.reclaim.run(until, rescues, id, claims, counted, uncounted) === 0) return false;
    this.counters.move(row.queue, waitingStatus(row.retries), 'running');
    return true;
  }

  /**
   * Rescues jobs whose lease has ended: they wait again, or end if they have been cancelled.
   *
   * @param holds Whether this process itself has claimed the job: then its renewal was merely late.
   */
  rescue(now: number, holds: (id: number) => boolean): Rescue {
    const cancelled: number[] = [];
    const dead = this.findEnded.all(now, MAX_RESCUED).filter(({ id }) => !holds(id));
    for (const row of dead) {
      if (row.cancelling !== null && row.appended !== null) {
        this.journals.postCancellation(row.id, row.cancelling);
      } else if (row.cancelling !== null) {
        this.control.endCancelled(row, row.cancelling, now);
        cancelled.push(row.id);
        continue;
      }
      const status = waitingStatus(row.retries);
      this.release.run(status, row.id);
      this.counters.move(row.queue, 'running', status);
    }
    return { waiting: dead.length - cancelled.length, cancelled };
  }

  /** Stores the length of this process's leases, for all processes that share the file. */
  announce(lease: number): void {
    this.setLongest.run(lease);
  }

  /** Shortens leases that end later than any valid lease: they were given before the clock was set back. */
  shortenInvalid(now: number): void {
    const last = this.last.get()?.leased_until ?? -Infinity;
    const latest = now + (this.longest.get()?.value ?? 0);
    if (last > latest) this.shorten.run(latest, latest, latest);
  }
}
