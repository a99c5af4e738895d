import type { ResolvedQueue } from '../../../job/queue.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { Ledger } from './counters.js';

interface QueueRow {
  readonly paused: number;
  readonly since: number;
  readonly starts: number;
}

/** What holds for a queue in all processes that share the file: pauses, and limits of the fleet. */
export class QueueWrites {
  private readonly find;
  private readonly allPaused;
  private readonly setPaused;
  private readonly setWindow;
  private readonly limited: ReadonlyMap<string, ResolvedQueue>;
  /** As of the last look. To sleep by, not to start by: what holds is in the file. */
  private paused: ReadonlySet<string> = new Set();

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
    queues: readonly ResolvedQueue[],
  ) {
    this.find = database.prepare<QueueRow>('SELECT paused, since, starts FROM queues WHERE queue = ?');
    this.allPaused = database.prepare<{ queue: string }>('SELECT queue FROM queues WHERE paused = 1');
    this.setPaused = database.prepare(
      `INSERT INTO queues (queue, paused) VALUES (?, ?) ON CONFLICT DO UPDATE SET paused = excluded.paused`,
    );
    this.setWindow = database.prepare(
      `INSERT INTO queues (queue, since, starts) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET since = excluded.since, starts = excluded.starts`,
    );
    this.limited = new Map(
      queues
        .filter((queue) => queue.fleetConcurrency !== Infinity || queue.fleetRateLimit !== null)
        .map((queue) => [queue.name, queue]),
    );
    this.refresh();
  }

  /** Whether processes share limits of this queue: then each takes only what it starts at once. */
  isLimited(queue: string): boolean {
    return this.limited.has(queue);
  }

  /** Looks which queues are paused. */
  refresh(): void {
    this.paused = new Set(this.allPaused.all().map(({ queue }) => queue));
  }

  isPaused(queue: string): boolean {
    return this.paused.has(queue);
  }

  get pausedQueues(): Iterable<string> {
    return this.paused;
  }

  pause(queue: string, paused: boolean): void {
    this.setPaused.run(queue, paused ? 1 : 0);
  }

  /** How many jobs of a queue may be started now. */
  room(queue: string, now: number): number {
    const row = this.find.get(queue);
    if (row?.paused === 1) {
      this.refresh();
      return 0;
    }
    const limits = this.limited.get(queue);
    if (limits === undefined) return Infinity;
    return Math.max(0, Math.min(this.places(limits), startsLeft(limits, row, now)));
  }

  /** Counts jobs that have been taken to be started. To be called in the transaction that takes them. */
  started(queue: string, jobs: number, now: number): void {
    const rate = this.limited.get(queue)?.fleetRateLimit ?? null;
    if (rate === null || jobs === 0) return;
    const row = this.find.get(queue);
    if (isCurrent(row, rate.per, now)) this.setWindow.run(queue, row.since, row.starts + jobs);
    else this.setWindow.run(queue, now, jobs);
  }

  /** From when on jobs of a queue may be started: 0 for now, `null` if no mere passing of time will do. */
  opensAt(queue: string, now: number): number | null {
    if (this.paused.has(queue)) return null;
    const limits = this.limited.get(queue);
    if (limits === undefined) return 0;
    const row = this.find.get(queue);
    if (this.places(limits) <= 0) return null;
    if (startsLeft(limits, row, now) > 0) return 0;
    return (row?.since ?? 0) + (limits.fleetRateLimit?.per ?? 0);
  }

  private places({ name, fleetConcurrency }: ResolvedQueue): number {
    return fleetConcurrency === Infinity ? Infinity : fleetConcurrency - this.ledger.jobs(name, 'running');
  }
}

function startsLeft({ fleetRateLimit: rate }: ResolvedQueue, row: QueueRow | undefined, now: number): number {
  if (rate === null) return Infinity;
  return isCurrent(row, rate.per, now) ? rate.max - row.starts : rate.max;
}

/** A window that begins in the future was begun before the clock was set back. */
function isCurrent(row: QueueRow | undefined, per: number, now: number): row is QueueRow {
  return row !== undefined && row.since <= now && now < row.since + per;
}
