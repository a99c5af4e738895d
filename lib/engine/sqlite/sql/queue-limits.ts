import type { ResolvedQueue } from '../../../job/queue.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';

interface QueueRow {
  readonly paused: number;
  readonly since: number;
  readonly starts: number;
}

/** Pauses and fleet limits of queues, which all processes that share the file respect. */
export class QueueLimits {
  private readonly find;
  private readonly allPaused;
  private readonly setPaused;
  private readonly setWindow;
  private readonly limited: ReadonlyMap<string, ResolvedQueue>;
  /** As of the last {@link refresh}. `nextDue` relies on it; `room`, within a transaction, reads the file. */
  private paused: ReadonlySet<string> = new Set();

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
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

  /** Whether a queue has fleet limits. Then each process claims only jobs that it starts at once. */
  isLimited(queue: string): boolean {
    return this.limited.has(queue);
  }

  /** Reads which queues are paused. */
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

  /** How many jobs of a queue may start now. */
  room(queue: string, now: number): number {
    const row = this.find.get(queue);
    if (row?.paused === 1) {
      this.refresh();
      return 0;
    }
    const limits = this.limited.get(queue);
    if (limits === undefined) return Infinity;
    return Math.max(0, Math.min(this.placesLeft(limits), startsLeft(limits, row, now)));
  }

  /** Counts the starts of claimed jobs. Call it in the transaction that claims them. */
  countStarts(queue: string, jobs: number, now: number): void {
    const rate = this.limited.get(queue)?.fleetRateLimit ?? null;
    if (rate === null || jobs === 0) return;
    const row = this.find.get(queue);
    if (isCurrent(row, rate.per, now)) this.setWindow.run(queue, row.since, row.starts + jobs);
    else this.setWindow.run(queue, now, jobs);
  }

  /** When jobs of a queue may start: 0 for now, `null` if the passing of time does not suffice. */
  opensAt(queue: string, now: number): number | null {
    if (this.paused.has(queue)) return null;
    const limits = this.limited.get(queue);
    if (limits === undefined) return 0;
    const row = this.find.get(queue);
    if (this.placesLeft(limits) <= 0) return null;
    if (startsLeft(limits, row, now) > 0) return 0;
    return (row?.since ?? 0) + (limits.fleetRateLimit?.per ?? 0);
  }

  private placesLeft({ name, fleetConcurrency }: ResolvedQueue): number {
    return fleetConcurrency === Infinity ? Infinity : fleetConcurrency - this.counters.jobs(name, 'running');
  }
}

function startsLeft({ fleetRateLimit: rate }: ResolvedQueue, row: QueueRow | undefined, now: number): number {
  if (rate === null) return Infinity;
  return isCurrent(row, rate.per, now) ? rate.max - row.starts : rate.max;
}

/** A window that begins in the future is invalid: the clock has been set back since. */
function isCurrent(row: QueueRow | undefined, per: number, now: number): row is QueueRow {
  return row !== undefined && row.since <= now && now < row.since + per;
}
