import type { Dedupe } from '../job/job.js';

/** A job as its dedupe key sees it. */
export interface KeyedJob {
  readonly taskId: string;
  readonly dedupe: Dedupe | undefined;
  readonly finished: boolean;
  /** Whether the job is delayed and was never started. */
  readonly isUntouched: boolean;
}

/** The holder of a key. */
export interface KeyHolder<Job> {
  /** `null` after the end of a job that holds its key for longer. */
  job: Job | null;
  readonly taskId: string;
  /** The end of a throttled key, in milliseconds since the epoch; `null` if the key is held until its job ends. */
  readonly until: number | null;
}

/** The number of keys that are checked, and dropped if they are free, whenever a key is added. */
const CHECKED_KEYS = 2;

/** The jobs that hold dedupe keys, for a store that knows all its jobs. The rules are those of {@link Dedupe}. */
export class DedupeKeys<Job extends KeyedJob> {
  private readonly keys = new Map<string, KeyHolder<Job>>();
  private check: IterableIterator<[string, KeyHolder<Job>]> | null = null;

  /** The job that a submission with this key duplicates; `null` if the submission adds a job. */
  existing({ key, mode }: Dedupe, now: number): Readonly<KeyHolder<Job>> | null {
    const found = this.keys.get(key);
    if (found === undefined || !holds(found, now)) return null;
    return mode !== 'debounce' || found.job?.isUntouched ? found : null;
  }

  put({ key, mode, ttl }: Dedupe, job: Job, now: number): void {
    this.keys.set(key, { job, taskId: job.taskId, until: mode === 'throttle' ? now + ttl : null });
    this.check ??= this.keys.entries();
    for (let n = 0; n < CHECKED_KEYS; n++) {
      const { value, done } = this.check.next();
      if (done || value === undefined) return void (this.check = null);
      const [old, holder] = value;
      if (!holds(holder, now)) this.keys.delete(old);
    }
  }

  /** A new record replaces the record of a job. */
  replaced(job: Job, successor: Job): void {
    const holder = successor.dedupe && this.keys.get(successor.dedupe.key);
    if (holder?.job === job) holder.job = successor;
  }

  /** A job has ended, which frees its key unless the key is throttled. */
  ended(job: Job, { key }: Dedupe): void {
    const holder = this.keys.get(key);
    if (holder?.job !== job) return;
    if (holder.until === null) this.keys.delete(key);
    else holder.job = null;
  }

  /** A failed job waits again: it takes its key again, unless another job holds it. */
  requeued(job: Job, dedupe: Dedupe, now: number): void {
    if (dedupe.mode === 'throttle') return;
    const holder = this.keys.get(dedupe.key);
    if (holder === undefined || !holds(holder, now)) this.put(dedupe, job, now);
  }
}

function holds({ job, until }: KeyHolder<KeyedJob>, now: number): boolean {
  return until === null ? job !== null && !job.finished : now < until;
}
