import type { Clock } from '../../job/clock.js';
import type { TaskStatus } from '../../job/job.js';
import { type RateLimit, type ResolvedQueue, RateWindow } from '../../job/queue.js';
import { MinHeap } from './min-heap.js';

/** The part of a job that its queue reads and writes. */
interface QueuedJob<J> {
  readonly priority: number;
  readonly status: TaskStatus;
  /** While it is delayed, in milliseconds since the epoch. */
  readonly dueAt: number | null | undefined;
  next: J | null;
  delayUntil(dueAt: number | undefined): void;
}

/** The due jobs of one priority, first in, first out: a chain through the records themselves. */
interface Bucket<J> {
  readonly priority: number;
  head: J | null;
  tail: J | null;
}

interface Delayed<J> {
  readonly dueAt: number;
  /** Keeps equal due times in order. */
  readonly order: number;
  readonly job: J;
}

/**
 * One queue's waiting jobs. Due ones lie in a bucket for each priority in use, which beats a heap
 * of jobs several times over when many share few priorities, as they mostly do. A job that is
 * cancelled, or delayed anew, leaves its old place behind, which is passed over when its turn comes.
 */
export class MemoryQueue<J extends QueuedJob<J>> {
  paused = false;
  /** How many of its jobs are in the store, besides those that wait. */
  running = 0;
  success = 0;
  failed = 0;
  cancelled = 0;
  /** Of those that wait, the ones that have failed before. */
  retrying = 0;
  private readonly buckets = new Map<number, Bucket<J>>();
  private readonly priorities = new MinHeap<number>((a, b) => a < b);
  private readonly delayed = new MinHeap<Delayed<J>>(
    (a, b) => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order),
  );
  private readonly rate: RateWindow | null;
  private readonly concurrency: number;
  /** The bucket used last: mostly the next one as well. */
  private recent: Bucket<J> | null = null;
  private orders = 0;
  private due = 0;
  private notDue = 0;

  /**
   * @param epoch Milliseconds since the Unix epoch: the store's zero.
   * @param limits Of the fleet, of which this process is all.
   */
  constructor(
    readonly queue: string,
    readonly epoch: number,
    limits: Pick<ResolvedQueue, 'fleetConcurrency' | 'fleetRateLimit'> = NO_LIMITS,
  ) {
    this.concurrency = limits.fleetConcurrency;
    this.rate = limits.fleetRateLimit === null ? null : new RateWindow(limits.fleetRateLimit);
  }

  /** How many wait, due or not. */
  get size(): number {
    return this.due + this.notDue;
  }

  push(job: J): void {
    const bucket = this.bucketOf(job.priority);
    if (bucket.tail === null) bucket.head = job;
    else bucket.tail.next = job;
    bucket.tail = job;
    this.due++;
  }

  /** Before its equals: for a job that was given back. */
  pushFront(job: J): void {
    const bucket = this.bucketOf(job.priority);
    job.next = bucket.head;
    bucket.head = job;
    bucket.tail ??= job;
    this.due++;
  }

  /** Takes its place among its equals when it is due. */
  pushDelayed(job: J, dueAt: number): void {
    job.delayUntil(dueAt);
    this.delayed.push({ dueAt, order: this.orders++, job });
    this.notDue++;
    if (this.delayed.size > 2 * this.notDue + FEW) this.delayed.retain(stillCounts);
  }

  /** A delayed job comes due at another time. */
  delayAnew(job: J, dueAt: number): void {
    if (job.dueAt === dueAt) return;
    this.notDue--;
    this.pushDelayed(job, dueAt);
  }

  /** A waiting job is taken out; its record stays behind and must be left empty. */
  takeOut(job: J): void {
    if (job.dueAt === undefined) this.due--;
    else {
      this.notDue--;
      if (this.delayed.size > 2 * this.notDue + FEW)
        this.delayed.retain((each) => each.job !== job && stillCounts(each));
    }
    if (job.status === 'retrying') this.retrying--;
  }

  /** How many may start now, of `limit` at most. */
  allowed(limit: number, now: number): number {
    if (this.paused) return 0;
    const room = Math.min(limit, this.concurrency - this.running);
    return this.rate === null ? room : Math.min(room, this.rate.left(now));
  }

  started(count: number, now: number): void {
    this.running += count;
    this.rate?.take(count, now);
  }

  /** The next due job, the lowest priority number first. */
  shift(now: number): J | null {
    if (this.delayed.size > 0) this.promote(now);
    for (let lowest = this.priorities.peek(); lowest !== undefined; lowest = this.priorities.peek()) {
      const bucket = this.bucketOf(lowest);
      const job = bucket.head;
      if (job === null) {
        this.drop(bucket);
        continue;
      }
      bucket.head = job.next;
      if (bucket.head === null) bucket.tail = null;
      job.next = null;
      if (job.status === 'cancelled') continue;
      this.due--;
      if (job.status === 'retrying') this.retrying--;
      return job;
    }
    return null;
  }

  /** 0 if a job can start now, the time from which one can, or `null` if that depends on something else. */
  nextDue(clock: Pick<Clock, 'now'>): number | null {
    if (this.paused || this.running >= this.concurrency) return null;
    const due = this.due > 0 ? 0 : (this.nextDelayed()?.dueAt ?? null);
    if (due === null || this.rate === null || this.rate.left(clock.now()) > 0) return due;
    return Math.max(due, this.rate.endsAt);
  }

  /** Forgets whatever waits. */
  clear(): void {
    this.buckets.clear();
    while (this.priorities.pop() !== undefined);
    while (this.delayed.pop() !== undefined);
    this.recent = null;
    this.due = this.notDue = this.retrying = 0;
  }

  private promote(now: number): void {
    for (let next = this.nextDelayed(); next && next.dueAt <= now; next = this.nextDelayed()) {
      this.delayed.pop();
      this.notDue--;
      next.job.delayUntil(undefined);
      this.push(next.job);
    }
  }

  /** The next one that still counts. */
  private nextDelayed(): Delayed<J> | undefined {
    for (let next = this.delayed.peek(); next !== undefined; next = this.delayed.peek()) {
      if (stillCounts(next)) return next;
      this.delayed.pop();
    }
    return undefined;
  }

  private bucketOf(priority: number): Bucket<J> {
    if (this.recent?.priority === priority) return this.recent;
    let bucket = this.buckets.get(priority);
    if (bucket === undefined) {
      bucket = { priority, head: null, tail: null };
      this.buckets.set(priority, bucket);
      this.priorities.push(priority);
    }
    return (this.recent = bucket);
  }

  private drop(bucket: Bucket<J>): void {
    this.priorities.pop();
    this.buckets.delete(bucket.priority);
    this.recent = null;
  }
}

/** So many places that were left behind are not worth clearing up. */
const FEW = 1_000;

/** Whether a place is not one that was left behind. */
function stillCounts<J extends QueuedJob<J>>({ job, dueAt }: Delayed<J>): boolean {
  return job.dueAt === dueAt && job.status !== 'cancelled';
}

const NO_LIMITS = { fleetConcurrency: Infinity, fleetRateLimit: null as RateLimit | null };
