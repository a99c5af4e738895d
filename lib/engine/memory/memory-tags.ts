import type { JobRecord } from './job-record.js';

/** So few empty entries are not worth a clean-up. */
const FEW = 16;

/** The jobs of one tag in the order of their submission. The entry of a removed job stays, empty, until the next clean-up. */
class TaggedJobs {
  private orders: number[] = [];
  private jobs: (JobRecord | null)[] = [];
  private empty = 0;

  get isEmpty(): boolean {
    return this.empty === this.jobs.length;
  }

  /** @param order Higher than that of every job before. */
  add(order: number, job: JobRecord): void {
    this.orders.push(order);
    this.jobs.push(job);
  }

  set(order: number, job: JobRecord | null): void {
    const at = this.firstFrom(order);
    if (this.orders[at] !== order || this.jobs[at] === null) return;
    this.jobs[at] = job;
    if (job === null && ++this.empty > this.jobs.length / 2 + FEW) this.compact();
  }

  /** The jobs with lower orders than `order`, from the latest on, each with its order. */
  *before(order: number): Iterable<[number, JobRecord]> {
    for (let at = this.firstFrom(order) - 1; at >= 0; at--) {
      const job = this.jobs[at];
      if (job) yield [this.orders[at] as number, job];
    }
  }

  /** The index of the first entry with this order or a higher one. */
  private firstFrom(order: number): number {
    let [low, high] = [0, this.orders.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.orders[middle] as number) < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private compact(): void {
    this.orders = this.orders.filter((_, at) => this.jobs[at] !== null);
    this.jobs = this.jobs.filter((job) => job !== null);
    this.empty = 0;
  }
}

/** The jobs of each tag. A job keeps its order, which the store gives it, when its record is replaced. */
export class TagIndex {
  private readonly byTag = new Map<string, TaggedJobs>();
  private latest = 0;

  /** All orders are below this one. */
  get end(): number {
    return this.latest + 1;
  }

  /** The number of tags that some job has. */
  get size(): number {
    return this.byTag.size;
  }

  add(job: JobRecord, tags: readonly string[]): void {
    job.tagOrder = ++this.latest;
    for (const tag of tags) {
      const jobs = this.byTag.get(tag);
      if (jobs !== undefined) jobs.add(job.tagOrder, job);
      else {
        const first = new TaggedJobs();
        first.add(job.tagOrder, job);
        this.byTag.set(tag, first);
      }
    }
  }

  /** A new record replaces the record of a job. */
  replaced(successor: JobRecord): void {
    for (const tag of successor.tags ?? []) this.byTag.get(tag)?.set(successor.tagOrder, successor);
  }

  remove(job: JobRecord): void {
    for (const tag of job.tags ?? []) {
      const jobs = this.byTag.get(tag);
      jobs?.set(job.tagOrder, null);
      if (jobs?.isEmpty) this.byTag.delete(tag);
    }
  }

  /** The jobs with a tag and lower orders than `order`, from the latest on, each with its order. */
  before(tag: string, order: number): Iterable<[number, JobRecord]> {
    return this.byTag.get(tag)?.before(order) ?? [];
  }
}
