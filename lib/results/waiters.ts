import type { Waiter } from './wait-until.js';

/** The waiters for results, by job. */
export class Waiters<Key> {
  private readonly byJob = new Map<Key, Set<Waiter>>();

  /** The number of jobs that have waiters. */
  get size(): number {
    return this.byJob.size;
  }

  has(job: Key): boolean {
    return this.byJob.has(job);
  }

  /** The jobs that have waiters. Waiters may be added and removed during the iteration. */
  jobs(): IterableIterator<Key> {
    return this.byJob.keys();
  }

  /** Up to `count` jobs that have waiters: those that this method has not returned for the longest time. */
  next(count: number): Key[] {
    const next = [...this.byJob.keys()].slice(0, count);
    for (const job of next) {
      const waiters = this.byJob.get(job) as Set<Waiter>;
      this.byJob.delete(job);
      this.byJob.set(job, waiters);
    }
    return next;
  }

  /** Returns a function that removes the waiter. */
  add(job: Key, waiter: Waiter): () => void {
    const waiters = this.byJob.get(job) ?? new Set<Waiter>();
    this.byJob.set(job, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.byJob.get(job) === waiters) this.byJob.delete(job);
    };
  }

  /** Removes the waiters for a job and returns them. */
  take(job: Key): Iterable<Waiter> {
    const waiters = this.byJob.get(job) ?? [];
    this.byJob.delete(job);
    return waiters;
  }

  /** Removes all waiters and returns them. */
  takeAll(): Waiter[] {
    const all = [...this.byJob.values()].flatMap((waiters) => [...waiters]);
    this.byJob.clear();
    return all;
  }
}
