import type { Clock } from '../../../job/clock.js';
import type { SqliteAttempt } from '../sql/sqlite-attempt.js';

/** The most prefetched jobs of a queue. */
const MAX_PREFETCHED = 128;
/** A queue prefetches only while its last prefetched jobs were all started within this time. */
const QUICK_MS = 5;
/** Prefetched jobs that were not started within this time are released, so that other processes can claim them. */
export const MAX_AGE_MS = 10;

interface Buffer {
  attempts: SqliteAttempt[];
  /** How many jobs to prefetch next. */
  nextSize: number;
  filledAt: number;
  /** Whether all jobs of the last fill were started quickly; `null` while some are left. */
  quick: boolean | null;
}

/**
 * Jobs that were claimed together with others that start at once. For very short jobs, most of the time would be
 * spent on the commits of their claims. So one commit claims as many jobs as are started within a few
 * milliseconds; for longer jobs, none are prefetched. Within this process, prefetched jobs count as waiting.
 */
export class Prefetch {
  private readonly buffers = new Map<string, Buffer>();
  private readonly ids = new Set<number>();
  private cancelTimer: (() => void) | null = null;

  /** @param release Called with jobs that were not started: the file must show them as waiting again. */
  constructor(
    private readonly clock: Clock,
    private readonly release: (attempts: readonly SqliteAttempt[]) => void,
  ) {}

  get count(): number {
    return this.ids.size;
  }

  get queues(): Iterable<string> {
    return this.buffers.keys();
  }

  has(id: number): boolean {
    return this.ids.has(id);
  }

  hasJobs(queue: string): boolean {
    return (this.buffers.get(queue)?.attempts.length ?? 0) > 0;
  }

  all(): SqliteAttempt[] {
    return [...this.buffers.values()].flatMap(({ attempts }) => attempts);
  }

  /** Removes and returns the next jobs to start. If they are too old, they are released instead. */
  take(queue: string, limit: number): SqliteAttempt[] {
    const buffer = this.buffer(queue);
    if (this.clock.now() - buffer.filledAt > MAX_AGE_MS) this.releaseBuffer(buffer);
    return this.remove(buffer, limit);
  }

  /** Removes and returns all jobs of a queue. */
  takeAll(queue: string): SqliteAttempt[] {
    return this.remove(this.buffer(queue), MAX_PREFETCHED);
  }

  /** Removes one job. Returns `false` if it is not prefetched. */
  withdraw(attempt: SqliteAttempt): boolean {
    if (!this.ids.delete(attempt.row.id)) return false;
    const buffer = this.buffer(attempt.queue);
    buffer.attempts = buffer.attempts.filter((other) => other !== attempt);
    return true;
  }

  /** Call it when more jobs could start and none is left of the last fill. */
  exhausted(queue: string): void {
    const buffer = this.buffer(queue);
    buffer.quick ??= this.clock.now() - buffer.filledAt <= QUICK_MS;
  }

  /** How many jobs to prefetch with a claim of `limit` jobs that start at once. */
  nextSize(queue: string, limit: number): number {
    const buffer = this.buffer(queue);
    buffer.nextSize = buffer.quick
      ? Math.min(MAX_PREFETCHED, 2 * buffer.nextSize + limit)
      : buffer.nextSize >> 2;
    return buffer.nextSize;
  }

  /** Stores the prefetched jobs of a claim. Call it after every claim, also if there are none. */
  fill(queue: string, attempts: SqliteAttempt[]): void {
    const buffer = this.buffer(queue);
    buffer.attempts = attempts;
    buffer.filledAt = this.clock.now();
    buffer.quick = null;
    for (const { row } of attempts) this.ids.add(row.id);
    if (attempts.length > 0) this.startTimer();
  }

  /** Releases the jobs of a queue if a new job is more urgent than one of them. */
  preempt(queue: string, priority: number): void {
    const buffer = this.buffer(queue);
    const last = buffer.attempts.at(-1);
    if (last !== undefined && last.priority > priority) this.releaseBuffer(buffer);
  }

  releaseAll(): void {
    for (const buffer of this.buffers.values()) this.releaseBuffer(buffer);
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private releaseBuffer(buffer: Buffer): void {
    const attempts = this.remove(buffer, MAX_PREFETCHED);
    if (attempts.length > 0) this.release(attempts);
  }

  private remove(buffer: Buffer, limit: number): SqliteAttempt[] {
    const removed = buffer.attempts.splice(0, limit);
    for (const { row } of removed) this.ids.delete(row.id);
    return removed;
  }

  private startTimer(): void {
    this.cancelTimer ??= this.clock.after(MAX_AGE_MS, this.onTimer, { background: true });
  }

  private readonly onTimer = (): void => {
    this.cancelTimer = null;
    const oldest = this.clock.now() - MAX_AGE_MS;
    for (const buffer of this.buffers.values()) {
      if (buffer.filledAt > oldest || buffer.attempts.length === 0) continue;
      buffer.nextSize = 0;
      this.releaseBuffer(buffer);
    }
    if (this.ids.size > 0) this.startTimer();
  };

  private buffer(queue: string): Buffer {
    let buffer = this.buffers.get(queue);
    if (buffer === undefined)
      this.buffers.set(queue, (buffer = { attempts: [], nextSize: 0, filledAt: 0, quick: false }));
    return buffer;
  }
}
