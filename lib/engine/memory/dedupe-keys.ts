import type { Dedupe } from '../engine.interface.js';
import type { JobRecord } from './job-record.js';

interface Standing {
  job: JobRecord;
  readonly taskId: string;
  /** When a throttled key is free again, in milliseconds since the epoch. */
  readonly until: number;
}

/** How many keys are looked at, whether they are still of use, whenever one is added. */
const SWEPT = 2;

/** Which job stands for which key. */
export class DedupeKeys {
  private readonly keys = new Map<string, Standing>();
  private sweep: IterableIterator<[string, Standing]> | null = null;

  /** The job that stands in the way of another one of that key, if one does. */
  standing({ key, mode }: Dedupe, now: number): { readonly taskId: string; readonly job: JobRecord } | null {
    const found = this.keys.get(key);
    if (found === undefined) return null;
    const { job, until } = found;
    switch (mode) {
      case 'ignore':
        return isUnfinished(job) ? found : null;
      case 'throttle':
        return now < until ? found : null;
      case 'debounce':
        return isUnfinished(job) && job.dueAt !== undefined && job.status === 'pending' ? found : null;
    }
  }

  put({ key, mode, ttl }: Dedupe, job: JobRecord, now: number): void {
    this.keys.set(key, { job, taskId: job.taskId, until: mode === 'throttle' ? now + ttl : now });
    this.sweep ??= this.keys.entries();
    for (let n = 0; n < SWEPT; n++) {
      const { value, done } = this.sweep.next();
      if (done || value === undefined) return void (this.sweep = null);
      const [old, standing] = value;
      if (!isUnfinished(standing.job) && standing.until <= now) this.keys.delete(old);
    }
  }

  /** The job goes on in another record. */
  succeeded(job: JobRecord, successor: JobRecord): void {
    const standing = successor.dedupeKey === undefined ? undefined : this.keys.get(successor.dedupeKey);
    if (standing?.job === job) standing.job = successor;
  }

  /** The job is over: it stands for nobody any more, unless its key is throttled. */
  ended(job: JobRecord, now: number): void {
    const key = job.dedupeKey as string;
    const standing = this.keys.get(key);
    if (standing?.job === job && standing.until <= now) this.keys.delete(key);
  }

  /** The job waits again: it takes its key back, unless another one stands for it by now. */
  resumed(job: JobRecord, now: number): void {
    const key = job.dedupeKey;
    if (key === undefined) return;
    const standing = this.keys.get(key);
    if (standing === undefined || !isUnfinished(standing.job))
      this.keys.set(key, { job, taskId: job.taskId, until: standing?.until ?? now });
  }
}

function isUnfinished(job: JobRecord): boolean {
  return !job.finished && job.status !== 'cancelled';
}
