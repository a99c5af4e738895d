import type { NewJob } from '../../job/job.js';
import { JobRecord } from './job-record.js';
import { MemoryIds } from './memory-ids.js';
import type { MemoryQueue } from './memory-queue.js';
import { TagIndex } from './memory-tags.js';

/** All jobs of the store. The id of a job contains its slot, so no index of ids is needed. */
export class MemoryJobs {
  private readonly ids = new MemoryIds();
  private readonly slots = new SlotTable<JobRecord>();
  /** The slots of jobs whose ids were chosen by their submitters. */
  private readonly named = new Map<string, number>();
  readonly tags = new TagIndex();

  add(job: NewJob, home: MemoryQueue<JobRecord>, now: number): JobRecord {
    const slot = this.slots.take();
    const record = new JobRecord(job.taskId ?? this.ids.generate(slot), job, home, now);
    if (job.taskId !== undefined) this.named.set(job.taskId, slot);
    this.slots.put(slot, record);
    if (job.tags !== undefined) this.tags.add(record, job.tags);
    return record;
  }

  find(taskId: string): JobRecord | undefined {
    const job = this.slots.get(this.slotOf(taskId));
    return job?.taskId === taskId ? job : undefined;
  }

  /** Replaces the record of a job by a new one, and returns the new one. */
  replace(job: JobRecord): JobRecord {
    const successor = job.successor();
    this.slots.put(this.slotOf(job.taskId), successor);
    if (successor.tags !== undefined) this.tags.replaced(successor);
    return successor;
  }

  /** Gives a job the arguments, options and tags of a later submission. */
  replaceContent(job: JobRecord, later: NewJob): void {
    if (job.tags !== undefined) this.tags.remove(job);
    job.replaceBy(later);
    if (later.tags !== undefined) this.tags.add(job, later.tags);
  }

  /** Returns `false` for a record that has been replaced or removed. */
  remove(job: JobRecord): boolean {
    const slot = this.slotOf(job.taskId);
    if (this.slots.get(slot) !== job) return false;
    this.slots.free(slot);
    if (this.named.size > 0) this.named.delete(job.taskId);
    if (job.tags !== undefined) this.tags.remove(job);
    return true;
  }

  /** Whether this store generated the id. */
  wasIssued(taskId: string): boolean {
    return this.slots.wasIssued(this.ids.slotOf(taskId));
  }

  all(): Iterable<JobRecord> {
    return this.slots.values();
  }

  /** The jobs in slots below `slot`, in descending order, each with its slot. */
  before(slot: number): Iterable<[number, JobRecord]> {
    return this.slots.before(slot);
  }

  /** All slots are below this one. */
  get end(): number {
    return this.slots.end;
  }

  /** A submitter may choose an id that was generated here, once the job with that id has been dropped. */
  private slotOf(taskId: string): number {
    const slot = this.ids.slotOf(taskId);
    if (slot >= 0 && this.slots.get(slot)?.taskId === taskId) return slot;
    return this.named.get(taskId) ?? -1;
  }
}

const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;

/**
 * Objects by small numbers, which are used again once they are free. The table grows by chunks, so it is never
 * copied. A free slot holds the number of the next free slot, so there is no separate list of them.
 */
export class SlotTable<T extends object> {
  private readonly chunks: (T | number)[][] = [];
  private firstFree = -1;
  private size = 0;

  /** The slot with which `put` must be called next. */
  take(): number {
    const slot = this.firstFree;
    if (slot < 0) {
      if ((this.size & MASK) === 0) this.chunks.push(Array.from<T | number>({ length: CHUNK }).fill(-1));
      return this.size++;
    }
    this.firstFree = this.chunk(slot)[slot & MASK] as number;
    return slot;
  }

  put(slot: number, value: T): void {
    this.chunk(slot)[slot & MASK] = value;
  }

  /** The object in a slot; `undefined` for a free slot, and for one that was never used. */
  get(slot: number): T | undefined {
    const value = this.wasIssued(slot) ? this.chunk(slot)[slot & MASK] : undefined;
    return typeof value === 'object' ? value : undefined;
  }

  free(slot: number): void {
    this.chunk(slot)[slot & MASK] = this.firstFree;
    this.firstFree = slot;
  }

  *values(): Iterable<T> {
    for (const chunk of this.chunks) for (const value of chunk) if (typeof value === 'object') yield value;
  }

  /** The objects in slots below `slot`, in descending order, each with its slot. */
  *before(slot: number): Iterable<[number, T]> {
    for (let at = Math.min(slot, this.size) - 1; at >= 0; at--) {
      const value = this.chunk(at)[at & MASK];
      if (typeof value === 'object') yield [at, value];
    }
  }

  /** One more than the highest slot that was ever used. */
  get end(): number {
    return this.size;
  }

  /** Whether a slot was ever used. */
  wasIssued(slot: number): boolean {
    return slot >= 0 && slot < this.size;
  }

  private chunk(slot: number): (T | number)[] {
    return this.chunks[slot >>> CHUNK_BITS] as (T | number)[];
  }
}
