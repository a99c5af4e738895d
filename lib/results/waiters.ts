import type { Waiter } from './wait-until.js';

/** Who waits for which job's result. */
export class Waiters<Key> {
  private readonly byJob = new Map<Key, Set<Waiter>>();

  /** How many jobs are waited for. */
  get size(): number {
    return this.byJob.size;
  }

  has(job: Key): boolean {
    return this.byJob.has(job);
  }

  /** The jobs that are waited for. It may be gone through while some come and go. */
  jobs(): IterableIterator<Key> {
    return this.byJob.keys();
  }

  /** Some of the jobs that are waited for: those that it has not named for the longest time. */
  next(count: number): Key[] {
    const next = [...this.byJob.keys()].slice(0, count);
    for (const job of next) {
      const waiters = this.byJob.get(job) as Set<Waiter>;
      this.byJob.delete(job);
      this.byJob.set(job, waiters);
    }
    return next;
  }

  /** Returns what undoes it. */
  add(job: Key, waiter: Waiter): () => void {
    const waiters = this.byJob.get(job) ?? new Set<Waiter>();
    this.byJob.set(job, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.byJob.get(job) === waiters) this.byJob.delete(job);
    };
  }

  /** All who wait for a job: from now on nobody does. */
  take(job: Key): Iterable<Waiter> {
    const waiters = this.byJob.get(job) ?? [];
    this.byJob.delete(job);
    return waiters;
  }

  /** All who wait for any job: from now on nobody does. */
  takeAll(): Waiter[] {
    const all = [...this.byJob.values()].flatMap((waiters) => [...waiters]);
    this.byJob.clear();
    return all;
  }
}
