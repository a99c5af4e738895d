import type { Clock } from '../../job/clock.js';
import type { Retention } from '../../job/queue.js';
import type { JobRecord } from './job-record.js';

/** The shortest time between two sweeps for old results. */
const SWEEP_MS = 1_000;

/**
 * Finished jobs in the order in which they finished, which is the order in which they are dropped: a chain through
 * the records. All share one timer. Without finished jobs there is no timer.
 */
export class FinishedJobs {
  private oldest: JobRecord | null = null;
  private newest: JobRecord | null = null;
  private count = 0;
  private cancelSweep: (() => void) | null = null;

  /** @param forget Drops a job. Returns `false` for a record that its job no longer uses. */
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

  /** A job is no longer finished, or was removed. Its record stays in the chain and no longer counts. */
  exclude(): void {
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

  /** Takes the first record out of the chain. Returns `false` if that record does not count. */
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
