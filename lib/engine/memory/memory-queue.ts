import type { JobHome, JobRecord } from './job-record.js';
import { MinHeap } from './min-heap.js';

/** The due jobs of one priority, first in, first out: a chain through the records themselves. */
interface Bucket {
  readonly priority: number;
  head: JobRecord | null;
  tail: JobRecord | null;
}

interface Delayed {
  readonly dueAt: number;
  /** Keeps equal due times in order. */
  readonly order: number;
  readonly job: JobRecord;
}

/**
 * One queue's waiting jobs. Due ones lie in a bucket for each priority in use, which beats a heap
 * of jobs several times over when many share few priorities, as they mostly do.
 */
export class MemoryQueue implements JobHome {
  private readonly buckets = new Map<number, Bucket>();
  private readonly priorities = new MinHeap<number>((a, b) => a < b);
  private readonly delayed = new MinHeap<Delayed>(
    (a, b) => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order),
  );
  /** The bucket used last: mostly the next one as well. */
  private recent: Bucket | null = null;
  private orders = 0;
  private due = 0;

  constructor(
    readonly queue: string,
    readonly epoch: number,
  ) {}

  get size(): number {
    return this.due + this.delayed.size;
  }

  push(job: JobRecord): void {
    const bucket = this.bucketOf(job.priority);
    if (bucket.tail === null) bucket.head = job;
    else bucket.tail.next = job;
    bucket.tail = job;
    this.due++;
  }

  /** Before its equals: for a job that was given back. */
  pushFront(job: JobRecord): void {
    const bucket = this.bucketOf(job.priority);
    job.next = bucket.head;
    bucket.head = job;
    bucket.tail ??= job;
    this.due++;
  }

  /** Takes its place among its equals when it is due. */
  pushDelayed(job: JobRecord, dueAt: number): void {
    this.delayed.push({ dueAt, order: this.orders++, job });
  }

  /** The next due job, the lowest priority number first. */
  shift(now: number): JobRecord | null {
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
      this.due--;
      return job;
    }
    return null;
  }

  /** 0 if a job is due now, the due time of the next one, or `null`. */
  nextDue(): number | null {
    return this.due > 0 ? 0 : (this.delayed.peek()?.dueAt ?? null);
  }

  private promote(now: number): void {
    for (let next = this.delayed.peek(); next && next.dueAt <= now; next = this.delayed.peek()) {
      this.delayed.pop();
      this.push(next.job);
    }
  }

  private bucketOf(priority: number): Bucket {
    if (this.recent?.priority === priority) return this.recent;
    let bucket = this.buckets.get(priority);
    if (bucket === undefined) {
      bucket = { priority, head: null, tail: null };
      this.buckets.set(priority, bucket);
      this.priorities.push(priority);
    }
    return (this.recent = bucket);
  }

  private drop(bucket: Bucket): void {
    this.priorities.pop();
    this.buckets.delete(bucket.priority);
    this.recent = null;
  }
}
