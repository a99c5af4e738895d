import type { TaskStatus } from '../../../job/status.js';
import type { Retention } from '../../../job/queue.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import { hasExpired } from './job-row.js';
import type { Ledger } from './counters.js';

/** Results are dropped this many at a time. */
const MAX_DROPPED = 500;

interface FinishedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly finished_at: number;
  /** What else there is of it, the sum of what follows. */
  readonly apart: number;
}

const LARGE_ARGS = 1;
const LINES = 2;
const KEY = 4;

const COLUMNS = `id, queue, status, finished_at,
  (args IS NULL) * ${LARGE_ARGS} + (lines IS NOT NULL) * ${LINES} + (keyed IS NOT NULL) * ${KEY} AS apart`;

/** Drops results, the oldest finished out first: those beyond `maxResults`, and those older than `resultTtl`. */
export class RetentionWrites {
  private readonly count;
  private readonly oldest;
  private readonly deleteJob;
  private readonly deleteArgs;
  private readonly deleteLogs;
  private readonly deleteKey;
  private readonly deleteKeys;
  private readonly finishedAt;
  private readonly prunedAt;
  private readonly setPrunedAt;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    private readonly retention: Retention,
  ) {
    this.count = database.prepare<{ finished: number | null }>(
      `SELECT sum(jobs) AS finished FROM counts WHERE status IN ('success', 'failed', 'cancelled')`,
    );
    this.oldest = database.prepare<FinishedRow>(
      `SELECT ${COLUMNS} FROM jobs
       WHERE finish_order IS NOT NULL ORDER BY finish_order LIMIT ?`,
    );
    this.deleteJob = database.prepare('DELETE FROM jobs WHERE id = ?');
    this.deleteArgs = database.prepare('DELETE FROM large_args WHERE job = ?');
    this.deleteLogs = database.prepare('DELETE FROM logs WHERE job = ?');
    this.deleteKey = database.prepare('DELETE FROM dedupe_keys WHERE job = ? AND until IS NULL');
    this.deleteKeys = database.prepare(
      'DELETE FROM dedupe_keys WHERE key IN (SELECT key FROM dedupe_keys WHERE until <= ? LIMIT ?)',
    );
    this.finishedAt = database.prepare<FinishedRow>(
      `SELECT ${COLUMNS} FROM jobs WHERE id = ? AND finish_order IS NOT NULL`,
    );
    this.prunedAt = database.prepare<{ value: number }>(`SELECT value FROM numbers WHERE name = 'pruned_at'`);
    this.setPrunedAt = database.prepare(`UPDATE numbers SET value = ? WHERE name = 'pruned_at'`);
  }

  /** To be called at the end of a transaction, before its counts are written. */
  dropExcess(): void {
    const added = this.ledger.finished;
    if (added <= 0) return;
    const { finished } = this.count.get() as { finished: number | null };
    const excess = (finished ?? 0) + added - this.retention.maxResults;
    // What a lower limit leaves too many goes bit by bit.
    if (excess > 0) for (const row of this.oldest.all(Math.min(excess, added + MAX_DROPPED))) this.drop(row);
  }

  /** Returns whether there may be more to drop. */
  dropExpired(now: number): boolean {
    const expired = now - this.retention.resultTtl;
    const rows = this.oldest.all(MAX_DROPPED);
    const old = rows.filter(({ finished_at: at }) => at <= expired);
    for (const row of old) this.drop(row);
    return old.length === MAX_DROPPED;
  }

  /** Drops keys that stood for a time, and stand no more. Returns whether there may be more to drop. */
  dropKeys(now: number): boolean {
    return this.deleteKeys.run(now, MAX_DROPPED) === MAX_DROPPED;
  }

  /** Whether a result counts as dropped, though it still lies in the file. */
  hasExpired(row: Parameters<typeof hasExpired>[0], now: number): boolean {
    return hasExpired(row, now, this.retention.resultTtl);
  }

  /** Drops one finished job. Says `false`, and changes nothing, if no finished job lies in that row. */
  remove(id: number): boolean {
    const row = this.finishedAt.get(id);
    if (row !== undefined) this.drop(row);
    return row !== undefined;
  }

  /** Whether this process is the one to look for old results now: one of them is enough. */
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
    this.ledger.count(queue, status, -1);
  }
}
