import type { Clock } from '../../job/clock.js';
import type { TaskStatus } from '../../job/job.js';
import { type RateLimit, type ResolvedQueue, RateWindow } from '../../job/queue.js';

/** The part of a job that its queue uses. */
interface QueuedJob<J> {
  readonly priority: number;
  readonly status: TaskStatus;
  /** In milliseconds since the epoch, while the job is delayed. */
  readonly dueAt: number | null | undefined;
  next: J | null;
  delayUntil(dueAt: number | undefined): void;
  /** A suspended job waits for a free place. */
  waitAgain(): void;
}

/** The due jobs of one priority, first in, first out: a chain through the records. */
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
 * The waiting jobs of one queue. Due jobs are in one bucket for each priority in use. This is several times faster
 * than a heap of jobs if many jobs share few priorities, which is the usual case. The old entry of a job that is
 * cancelled, or whose delay begins again, stays, and is skipped when it is reached.
 */
export class MemoryQueue<J extends QueuedJob<J>> {
  paused = false;
  /** The numbers of the queue's jobs by state, for jobs that do not wait. */
  running = 0;
  success = 0;
  failed = 0;
  cancelled = 0;
  /** The number of waiting jobs that have failed before. */
  retrying = 0;
  /** The number of suspended jobs. */
  suspended = 0;
  /** The number of suspended jobs that come due by themselves. */
  private timed = 0;
  private readonly buckets = new Map<number, Bucket<J>>();
  private readonly priorities = new MinHeap<number>((a, b) => a < b);
  private readonly delayed = new MinHeap<Delayed<J>>(
    (a, b) => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order),
  );
  private readonly rate: RateWindow | null;
  private readonly concurrency: number;
  /** The bucket that was used last, which is usually the next one too. */
  private recent: Bucket<J> | null = null;
  private orders = 0;
  private due = 0;
  private notDue = 0;

  /**
   * @param epoch The zero of the store's times, in milliseconds since the Unix epoch.
   * @param limits The limits of the fleet: this process is the whole fleet.
   */
  constructor(
    readonly queue: string,
    readonly epoch: number,
    limits: Pick<ResolvedQueue, 'fleetConcurrency' | 'fleetRateLimit'> = NO_LIMITS,
  ) {
    this.concurrency = limits.fleetConcurrency;
    this.rate = limits.fleetRateLimit === null ? null : new RateWindow(limits.fleetRateLimit);
  }

  /** The number of waiting jobs, due or delayed, without the suspended ones. */
  get size(): number {
    return this.due + this.notDue - this.timed;
  }

  push(job: J): void {
    const bucket = this.bucketOf(job.priority);
    if (bucket.tail === null) bucket.head = job;
    else bucket.tail.next = job;
    bucket.tail = job;
    this.due++;
  }

  /** Adds a released job before the jobs of the same priority. */
  pushFront(job: J): void {
    const bucket = this.bucketOf(job.priority);
    job.next = bucket.head;
    bucket.head = job;
    bucket.tail ??= job;
    this.due++;
  }

  /** When the job is due, it is added after the jobs of the same priority. */
  pushDelayed(job: J, dueAt: number): void {
    job.delayUntil(dueAt);
    this.delayed.push({ dueAt, order: this.orders++, job });
    this.notDue++;
    if (this.delayed.size > 2 * this.notDue + FEW) this.delayed.retain(isCurrent);
  }

  /** @param dueAt `Infinity` for a job that waits for a message only. */
  suspend(job: J, dueAt: number): void {
    this.suspended++;
    this.wakeAt(job, dueAt);
  }

  /** A suspended job comes due at this time, unless it does earlier. */
  wakeAt(job: J, dueAt: number): void {
    if (dueAt >= (job.dueAt ?? Infinity)) return;
    if (job.dueAt === undefined) this.timed++;
    else this.notDue--;
    this.pushDelayed(job, dueAt);
  }

  /** Changes the due time of a delayed job. */
  reschedule(job: J, dueAt: number): void {
    if (job.dueAt === dueAt) return;
    this.notDue--;
    this.pushDelayed(job, dueAt);
  }

  /** Stops counting a waiting job. Its record stays in the queue as a skipped entry, and must be emptied. */
  exclude(job: J): void {
    if (job.dueAt === undefined) this.due -= job.status === 'suspended' ? 0 : 1;
    else {
      this.notDue--;
      if (this.delayed.size > 2 * this.notDue + FEW)
        this.delayed.retain((each) => each.job !== job && isCurrent(each));
    }
    if (job.status === 'retrying') this.retrying--;
    if (job.status === 'suspended') this.uncount(job);
  }

  /** The number of jobs that may start now, at most `limit`. */
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

  /** The time from which a job can start: 0 for now, `null` if no time is known. */
  nextDue(clock: Pick<Clock, 'now'>): number | null {
    if (this.paused || this.running >= this.concurrency) return null;
    const due = this.due > 0 ? 0 : (this.nextDelayed()?.dueAt ?? null);
    if (due === null || this.rate === null || this.rate.left(clock.now()) > 0) return due;
    return Math.max(due, this.rate.endsAt);
  }

  /** Removes all waiting jobs. */
  clear(): void {
    this.buckets.clear();
    while (this.priorities.pop() !== undefined);
    while (this.delayed.pop() !== undefined);
    this.recent = null;
    this.due = this.notDue = this.retrying = this.suspended = this.timed = 0;
  }

  private promote(now: number): void {
    for (let next = this.nextDelayed(); next && next.dueAt <= now; next = this.nextDelayed()) {
      this.delayed.pop();
      this.notDue--;
      const { job } = next;
      if (job.status === 'suspended') this.resume(job);
      job.delayUntil(undefined);
      this.push(job);
    }
  }

  /** The next delayed job whose entry is current. */
  private nextDelayed(): Delayed<J> | undefined {
    for (let next = this.delayed.peek(); next !== undefined; next = this.delayed.peek()) {
      if (isCurrent(next)) return next;
      this.delayed.pop();
    }
    return undefined;
  }

  private resume(job: J): void {
    this.uncount(job);
    job.waitAgain();
    if (job.status === 'retrying') this.retrying++;
  }

  private uncount(job: J): void {
    this.suspended--;
    if (job.dueAt !== undefined) this.timed--;
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

/** The number of skipped entries that are not worth a clean-up. */
const FEW = 1_000;

/** Whether an entry is the current one of its job. */
function isCurrent<J extends QueuedJob<J>>({ job, dueAt }: Delayed<J>): boolean {
  return job.dueAt === dueAt && job.status !== 'cancelled';
}

const NO_LIMITS = { fleetConcurrency: Infinity, fleetRateLimit: null as RateLimit | null };

/** A binary heap: the least element first, in logarithmic time. */
class MinHeap<T> {
  private readonly items: T[] = [];

  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items } = this;
    let at = items.length;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = items[parentAt] as T;
      if (!this.before(item, parent)) break;
      items[at] = parent;
      at = parentAt;
    }
    items[at] = item;
  }

  /** Drops the elements that do not pass. */
  retain(passes: (item: T) => boolean): void {
    for (const item of this.items.splice(0)) if (passes(item)) this.push(item);
  }

  pop(): T | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= items.length) break;
      if (childAt + 1 < items.length && this.before(items[childAt + 1] as T, items[childAt] as T)) childAt++;
      if (!this.before(items[childAt] as T, last)) break;
      items[at] = items[childAt] as T;
      at = childAt;
    }
    items[at] = last;
    return first;
  }
}
