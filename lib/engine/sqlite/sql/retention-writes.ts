import type { Retention } from '../../../job/queue.js';
import type { TaskStatus } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';
import { hasExpired } from './job-row.js';

/** Results are dropped in steps of this many. */
const MAX_DROPPED = 500;

interface FinishedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly finished_at: number;
  /** Flags: the other tables that have rows of this job. */
  readonly apart: number;
}

const LARGE_ARGS = 1;
const LINES = 2;
const KEY = 4;

const COLUMNS = `id, queue, status, finished_at,
  (args IS NULL) * ${LARGE_ARGS} + (lines IS NOT NULL) * ${LINES} + (keyed IS NOT NULL) * ${KEY} AS apart`;

/** Drops results beyond `maxResults` or older than `resultTtl`, in the order in which the jobs finished. */
export class RetentionWrites {
  private readonly count;
  private readonly oldest;
  private readonly finishedAt;
  private readonly deleteJob;
  private readonly deleteArgs;
  private readonly deleteLogs;
  private readonly deleteKey;
  private readonly deleteKeys;
  private readonly oldestResult;
  private readonly firstKeyEnd;
  private readonly prunedAt;
  private readonly setPrunedAt;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
    private readonly retention: Retention,
  ) {
    this.count = database.prepare<{ finished: number | null }>(
      `SELECT sum(jobs) AS finished FROM counts WHERE status IN ('success', 'failed', 'cancelled')`,
    );
    this.oldest = database.prepare<FinishedRow>(
      `SELECT ${COLUMNS} FROM jobs
       WHERE finish_order IS NOT NULL ORDER BY finish_order LIMIT ?`,
    );
    this.finishedAt = database.prepare<FinishedRow>(
      `SELECT ${COLUMNS} FROM jobs WHERE id = ? AND finish_order IS NOT NULL`,
    );
    this.deleteJob = database.prepare('DELETE FROM jobs WHERE id = ?');
    this.deleteArgs = database.prepare('DELETE FROM large_args WHERE job = ?');
    this.deleteLogs = database.prepare('DELETE FROM logs WHERE job = ?');
    this.deleteKey = database.prepare('DELETE FROM dedupe_keys WHERE job = ? AND until IS NULL');
    this.deleteKeys = database.prepare(
      'DELETE FROM dedupe_keys WHERE key IN (SELECT key FROM dedupe_keys WHERE until <= ? LIMIT ?)',
    );
    this.oldestResult = database.prepare<{ finished_at: number }>(
      'SELECT finished_at FROM jobs WHERE finish_order IS NOT NULL ORDER BY finish_order LIMIT 1',
    );
    this.firstKeyEnd = database.prepare<{ until: number }>(
      'SELECT until FROM dedupe_keys WHERE until IS NOT NULL ORDER BY until LIMIT 1',
    );
    this.prunedAt = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'pruned_at'`);
    this.setPrunedAt = database.prepare(`UPDATE numbers SET value = ? WHERE name = 'pruned_at'`);
  }

  /** Drops results beyond `maxResults`. Call it at the end of a transaction, before the counters are written. */
  dropExcess(): void {
    const added = this.counters.finishedDelta;
    if (added <= 0) return;
    const { finished } = this.count.get() as { finished: number | null };
    const excess = (finished ?? 0) + added - this.retention.maxResults;
    // After maxResults has been lowered, the excess is dropped over several transactions.
    if (excess > 0) for (const row of this.oldest.all(Math.min(excess, added + MAX_DROPPED))) this.drop(row);
  }

  /** Drops expired results. Returns whether there may be more. */
  dropExpired(now: number): boolean {
    const rows = this.oldest.all(MAX_DROPPED).filter((row) => this.hasExpired(row, now));
    for (const row of rows) this.drop(row);
    return rows.length === MAX_DROPPED;
  }

  /** Drops throttled keys that have ended. Returns whether there may be more. */
  dropKeys(now: number): boolean {
    return this.deleteKeys.run(now, MAX_DROPPED) === MAX_DROPPED;
  }

  hasExpired(row: Parameters<typeof hasExpired>[0], now: number): boolean {
    return hasExpired(row, now, this.retention.resultTtl);
  }

  /** Drops one finished job. Returns `false`, and changes nothing, if there is no finished job in this row. */
  remove(id: number): boolean {
    const row = this.finishedAt.get(id);
    if (row !== undefined) this.drop(row);
    return row !== undefined;
  }

  /** Whether there are expired results or keys. */
  isDue(now: number): boolean {
    const oldest = this.oldestResult.get();
    return (
      (oldest !== undefined && this.hasExpired(oldest, now)) ||
      (this.firstKeyEnd.get()?.until ?? Infinity) <= now
    );
  }

  /** Whether this process shall drop old results now: one process per interval does so for all. */
  takeTurn(now: number, interval: number): boolean {
    const { value } = this.prunedAt.get() as { value: number };
    if (Math.abs(now - value) < interval) return false;
    this.setPrunedAt.run(now);
    return true;
  }

  private drop({ id, queue, status, apart }: FinishedRow): void {
    this.deleteJob.run(id);
    if (apart & LARGE_ARGS) this.deleteArgs.run(id);
    if (apart & LINES) this.deleteLogs.run(id);
    if (apart & KEY) this.deleteKey.run(id);
    this.counters.add(queue, status, -1);
  }
}
