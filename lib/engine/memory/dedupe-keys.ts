import type { Dedupe } from '../../job/job.js';
import type { JobRecord } from './job-record.js';

interface Standing {
  /** `null` for a job that is over, whose key stands on for a time. */
  job: JobRecord | null;
  readonly taskId: string;
  /** When a throttled key is free again, in milliseconds since the epoch; `null` for the end of its job. */
  readonly until: number | null;
}

/** How many keys are looked at, whether they are still of use, whenever one is added. */
const SWEPT = 2;

/** Which job stands for which key. */
export class DedupeKeys {
  private readonly keys = new Map<string, Standing>();
  private sweep: IterableIterator<[string, Standing]> | null = null;

  /** The job that stands in the way of another one of that key, if one does. */
  standing({ key, mode }: Dedupe, now: number): Readonly<Standing> | null {
    const found = this.keys.get(key);
    if (found === undefined || !stands(found, now)) return null;
    return mode !== 'debounce' || found.job?.isUntouched ? found : null;
  }

  put({ key, mode, ttl }: Dedupe, job: JobRecord, now: number): void {
    this.keys.set(key, { job, taskId: job.taskId, until: mode === 'throttle' ? now + ttl : null });
    this.sweep ??= this.keys.entries();
    for (let n = 0; n < SWEPT; n++) {
      const { value, done } = this.sweep.next();
      if (done || value === undefined) return void (this.sweep = null);
      const [old, standing] = value;
      if (!stands(standing, now)) this.keys.delete(old);
    }
  }

  /** The job goes on in another record. */
  succeeded(job: JobRecord, successor: JobRecord): void {
    const standing = successor.dedupe && this.keys.get(successor.dedupe.key);
    if (standing?.job === job) standing.job = successor;
  }

  /** The job is over: it stands for nobody any more, unless its key is throttled. */
  ended(job: JobRecord, { key }: Dedupe): void {
    const standing = this.keys.get(key);
    if (standing?.job !== job) return;
    if (standing.until === null) this.keys.delete(key);
    else standing.job = null;
  }

  /** The job waits again: it takes its key back, unless another one stands for it by now. */
  resumed(job: JobRecord, dedupe: Dedupe, now: number): void {
    if (dedupe.mode === 'throttle') return;
    const standing = this.keys.get(dedupe.key);
    if (standing === undefined || !stands(standing, now)) this.put(dedupe, job, now);
  }
}

function stands({ job, until }: Standing, now: number): boolean {
  return until === null ? job !== null && !job.finished : now < until;
}
