import type { TaskStatus } from 'flowrra';
import { type Attempt, type Dedupe, isFinal, type KeyedJob } from 'flowrra/engine';
import type { StoredJob } from './job-directory.js';

/** The part of a job that stays in memory: enough to find and to order it. */
export class IndexedJob implements KeyedJob {
  readonly taskId: string;
  readonly taskName: string;
  readonly queue: string;
  readonly priority: number;
  readonly submittedAt: number;
  readonly dedupe: Dedupe | undefined;
  tags: readonly string[] | undefined;
  status: TaskStatus = 'pending';
  order = 0;
  dueAt: number | null = null;
  startedAt: number | null = null;
  finishedAt: number | null = null;
  /** The attempt that runs; `null` for none. */
  attempt: Attempt | null = null;

  /** @param number The number of its file. */
  constructor(
    readonly number: number,
    job: StoredJob,
  ) {
    this.taskId = job.taskId;
    this.taskName = job.taskName;
    this.queue = job.queue;
    this.priority = job.priority;
    this.submittedAt = job.submittedAt;
    this.dedupe = job.dedupe;
    this.update(job);
  }

  get finished(): boolean {
    return isFinal(this.status);
  }

  get isUntouched(): boolean {
    return this.dueAt !== null && this.startedAt === null;
  }

  update({ status, order, dueAt, startedAt, finishedAt, tags }: StoredJob): void {
    this.status = status;
    this.order = order;
    this.dueAt = dueAt;
    this.startedAt = startedAt;
    this.finishedAt = finishedAt;
    this.tags = tags;
  }
}

/** The jobs of a queue that wait, in running order, and the number of all its jobs by status. */
export class QueueIndex {
  paused = false;
  readonly counts: Record<TaskStatus, number> = {
    pending: 0,
    running: 0,
    retrying: 0,
    suspended: 0,
    success: 0,
    failed: 0,
    cancelled: 0,
  };
  private readonly ready: IndexedJob[] = [];
  private readonly delayed: IndexedJob[] = [];

  get size(): number {
    return this.ready.length + this.delayed.length;
  }

  add(job: IndexedJob): void {
    if (job.dueAt === null) insert(this.ready, job, runsBefore);
    else insert(this.delayed, job, isDueBefore);
  }

  delete(job: IndexedJob): void {
    for (const list of [this.ready, this.delayed]) {
      const at = list.indexOf(job);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** The job that runs next; `undefined` if none is due. */
  next(now: number): IndexedJob | undefined {
    for (let due = this.delayed[0]; due && (due.dueAt ?? 0) <= now; due = this.delayed[0]) {
      this.delayed.shift();
      due.dueAt = null;
      this.add(due);
    }
    return this.paused ? undefined : this.ready[0];
  }

  /** When the next job is due; 0 for now, `null` if no job waits or the queue is paused. */
  get nextDue(): number | null {
    if (this.paused) return null;
    return this.ready.length > 0 ? 0 : (this.delayed[0]?.dueAt ?? null);
  }
}

function runsBefore(a: IndexedJob, b: IndexedJob): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.order < b.order);
}

function isDueBefore(a: IndexedJob, b: IndexedJob): boolean {
  return (a.dueAt ?? 0) < (b.dueAt ?? 0);
}

/** Inserts into a sorted list, behind equal jobs. */
function insert(
  list: IndexedJob[],
  job: IndexedJob,
  isBefore: (a: IndexedJob, b: IndexedJob) => boolean,
): void {
  let from = 0;
  for (let to = list.length; from < to;) {
    const middle = (from + to) >> 1;
    if (isBefore(job, list[middle] as IndexedJob)) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, job);
}
