import type { Clock } from '../../../job/clock.js';
import type { SqliteAttempt } from '../sql/sqlite-attempt.js';

/** The most jobs that wait here, taken but not started, for each queue. */
const MAX_AHEAD = 128;
/** Jobs are taken ahead only while what was taken last is used up within this time. */
const QUICK_MS = 5;
/** What has not been started by then goes back: it is somebody else's turn. */
export const PATIENCE_MS = 10;

interface Shelf {
  attempts: SqliteAttempt[];
  /** How many to take ahead next. */
  extent: number;
  filledAt: number;
  /** Whether what was taken last was used up quickly; `null` until it is used up. */
  quick: boolean | null;
}

/**
 * Jobs that were taken along with those that start at once. Where jobs take no time to speak of, the
 * commits of their claims would be most of the work; so more are taken in one commit, as many as
 * are used up in a few milliseconds and none where jobs take longer. To everybody who asks in this
 * process they are still waiting.
 */
export class ClaimAhead {
  private readonly shelves = new Map<string, Shelf>();
  private readonly ids = new Set<number>();
  private cancelTimer: (() => void) | null = null;

  /** @param giveBack Puts jobs that were not started back into the file. */
  constructor(
    private readonly clock: Clock,
    private readonly giveBack: (attempts: readonly SqliteAttempt[]) => void,
  ) {}

  get size(): number {
    return this.ids.size;
  }

  has(id: number): boolean {
    return this.ids.has(id);
  }

  holds(queue: string): boolean {
    return (this.shelves.get(queue)?.attempts.length ?? 0) > 0;
  }

  all(): SqliteAttempt[] {
    return [...this.shelves.values()].flatMap(({ attempts }) => attempts);
  }

  /** The next jobs to start. What has been here for too long is not among them: it goes back. */
  take(queue: string, limit: number): SqliteAttempt[] {
    const shelf = this.shelf(queue);
    if (this.clock.now() - shelf.filledAt > PATIENCE_MS) this.clear(shelf);
    return this.remove(shelf, limit);
  }

  /** Takes a job that has not been started out of what waits here. */
  withdraw(attempt: SqliteAttempt): boolean {
    if (!this.ids.delete(attempt.row.id)) return false;
    const shelf = this.shelf(attempt.queue);
    shelf.attempts = shelf.attempts.filter((other) => other !== attempt);
    return true;
  }

  /** To be told when there is more to start and none is left of what was taken last. */
  usedUp(queue: string): void {
    const shelf = this.shelf(queue);
    shelf.quick ??= this.clock.now() - shelf.filledAt <= QUICK_MS;
  }

  /** How many to take ahead along with `limit` that start at once. */
  extent(queue: string, limit: number): number {
    const shelf = this.shelf(queue);
    shelf.extent = shelf.quick ? Math.min(MAX_AHEAD, 2 * shelf.extent + limit) : shelf.extent >> 2;
    return shelf.extent;
  }

  /** Keeps what was taken ahead, once nothing is left of what was before; also to be told of nothing. */
  fill(queue: string, attempts: SqliteAttempt[]): void {
    const shelf = this.shelf(queue);
    shelf.attempts = attempts;
    shelf.filledAt = this.clock.now();
    shelf.quick = null;
    for (const { row } of attempts) this.ids.add(row.id);
    if (attempts.length > 0) this.arm();
  }

  /** A new job goes before what was taken ahead, if that is less urgent. */
  yieldTo(queue: string, priority: number): void {
    const shelf = this.shelf(queue);
    const last = shelf.attempts.at(-1);
    if (last !== undefined && last.priority > priority) this.clear(shelf);
  }

  get queues(): Iterable<string> {
    return this.shelves.keys();
  }

  /** Takes all of a queue out. Whoever does so gives it back. */
  empty(queue: string): SqliteAttempt[] {
    return this.remove(this.shelf(queue), MAX_AHEAD);
  }

  clearAll(): void {
    for (const shelf of this.shelves.values()) this.clear(shelf);
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private clear(shelf: Shelf): void {
    const attempts = this.remove(shelf, MAX_AHEAD);
    if (attempts.length > 0) this.giveBack(attempts);
  }

  private remove(shelf: Shelf, limit: number): SqliteAttempt[] {
    const removed = shelf.attempts.splice(0, limit);
    for (const { row } of removed) this.ids.delete(row.id);
    return removed;
  }

  private arm(): void {
    this.cancelTimer ??= this.clock.after(PATIENCE_MS, this.onTimer, { background: true });
  }

  private readonly onTimer = (): void => {
    this.cancelTimer = null;
    const stale = this.clock.now() - PATIENCE_MS;
    for (const shelf of this.shelves.values()) {
      if (shelf.filledAt > stale || shelf.attempts.length === 0) continue;
      shelf.extent = 0;
      this.clear(shelf);
    }
    if (this.ids.size > 0) this.arm();
  };

  private shelf(queue: string): Shelf {
    let shelf = this.shelves.get(queue);
    if (shelf === undefined)
      this.shelves.set(queue, (shelf = { attempts: [], extent: 0, filledAt: 0, quick: false }));
    return shelf;
  }
}
