import type { Clock } from '../../job/clock.js';
import type { Retention } from '../../job/queue.js';
import type { JobRecord } from './job-record.js';

/** How often results are looked through for old ones, at most, while nothing else happens. */
const SWEEP_MS = 1_000;

/**
 * Finished jobs in the order in which they finished, which is the order in which they may go: a
 * chain through the records. One timer for all of them, and none while there are none.
 */
export class FinishedJobs {
  private oldest: JobRecord | null = null;
  private newest: JobRecord | null = null;
  private count = 0;
  private cancelSweep: (() => void) | null = null;

  /** @param forget Drops a job, or says `false` of a record that was left behind when its job went on. */
  constructor(
    private readonly clock: Clock,
    private readonly retention: Retention,
    private readonly forget: (job: JobRecord) => boolean,
  ) {}

  add(job: JobRecord): void {
    if (this.newest === null) this.oldest = job;
    else this.newest.next = job;
    this.newest = job;
    if (++this.count > this.retention.maxResults) this.dropOldest();
    if (this.cancelSweep === null) this.planSweep();
  }

  /** One of them is finished no more: its record stays in the chain, left behind. */
  leave(): void {
    this.count--;
  }

  prune(now: number): void {
    const expired = now - this.retention.resultTtl;
    while (this.oldest !== null && this.oldest.finishedAt <= expired) this.dropFirst();
  }

  close(): void {
    this.cancelSweep?.();
    this.cancelSweep = null;
  }

  private dropOldest(): void {
    while (this.oldest !== null && !this.dropFirst());
  }

  /** Takes the first record out of the chain. Says `false` of one that was left behind, which counts for nothing. */
  private dropFirst(): boolean {
    const job = this.oldest as JobRecord;
    this.oldest = job.next;
    if (this.oldest === null) this.newest = null;
    job.next = null;
    if (!this.forget(job)) return false;
    this.count--;
    return true;
  }

  private planSweep(): void {
    if (this.oldest === null || this.retention.resultTtl === Infinity) return;
    const due = this.oldest.finishedAt + this.retention.resultTtl - this.clock.now();
    this.cancelSweep = this.clock.after(
      Math.max(SWEEP_MS, due),
      () => {
        this.cancelSweep = null;
        this.prune(this.clock.now());
        this.planSweep();
      },
      { background: true },
    );
  }
}
