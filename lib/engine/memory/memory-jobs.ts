import type { NewJob } from '../../job/job.js';
import { JobRecord } from './job-record.js';
import { MemoryIds } from './memory-id.js';
import type { MemoryQueue } from './memory-queue.js';
import { SlotTable } from './slot-table.js';

/** Every job of the store by its id, which says where it lies. */
export class MemoryJobs {
  private readonly ids = new MemoryIds();
  private readonly slots = new SlotTable<JobRecord>();
  /** Where jobs lie whose id the caller chose. */
  private readonly named = new Map<string, number>();

  add(job: NewJob, home: MemoryQueue<JobRecord>, now: number): JobRecord {
    const slot = this.slots.take();
    const record = new JobRecord(job.taskId ?? this.ids.generate(slot), job, home, now);
    if (job.taskId !== undefined) this.named.set(job.taskId, slot);
    this.slots.put(slot, record);
    return record;
  }

  find(taskId: string): JobRecord | undefined {
    const job = this.slots.get(this.slotOf(taskId));
    return job?.taskId === taskId ? job : undefined;
  }

  /** Another record of the same job takes the place of this one. */
  replace(job: JobRecord): JobRecord {
    const successor = job.successor();
    this.slots.put(this.slotOf(job.taskId), successor);
    return successor;
  }

  /** Says `false` of a record that is no job's any more. */
  remove(job: JobRecord): boolean {
    const slot = this.slotOf(job.taskId);
    if (this.slots.get(slot) !== job) return false;
    this.slots.free(slot);
    if (this.named.size > 0) this.named.delete(job.taskId);
    return true;
  }

  /** Whether an id is one that was generated here. */
  wasIssued(taskId: string): boolean {
    return this.slots.knows(this.ids.slotOf(taskId));
  }

  all(): Iterable<JobRecord> {
    return this.slots.values();
  }

  /** Backwards, each with its slot. */
  before(slot: number): Iterable<[number, JobRecord]> {
    return this.slots.before(slot);
  }

  get end(): number {
    return this.slots.end;
  }

  /** An id that was generated here may have been chosen for another job once its own was dropped. */
  private slotOf(taskId: string): number {
    const slot = this.ids.slotOf(taskId);
    if (slot >= 0 && this.slots.get(slot)?.taskId === taskId) return slot;
    return this.named.get(taskId) ?? -1;
  }
}
