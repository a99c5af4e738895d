import { randomUUID } from 'node:crypto';
import {
  type Accepted,
  type Attempt,
  DedupeKeys,
  Duplicate,
  type EngineHost,
  type JobReport,
  type JobRow,
  MAX_LOG_LINES,
  type NewJob,
  nextState,
  type Outcome,
  waitingStatus,
} from 'flowrra/engine';
import { JobDirectory, type StoredJob } from './job-directory.js';
import { IndexedJob, QueueIndex } from './job-index.js';

/** A job that has killed its process this often is not started again. */
const MAX_DEATHS = 3;

/** The fields of a job that has not started. */
const NEW = {
  status: 'pending',
  startedAt: null,
  finishedAt: null,
  retries: 0,
  result: null,
  errors: [],
  reason: null,
  progress: null,
  logs: [],
  deaths: 0,
} as const;

/**
 * The jobs of a directory. An index of all jobs is in memory; a job's data is read when it is needed. Every change
 * is written first, and then applied to the index, so a failed write changes nothing.
 */
export class DirectoryJobs {
  private readonly directory: JobDirectory;
  /** In the order of submission. */
  private readonly byId = new Map<string, IndexedJob>();
  private readonly byQueue = new Map<string, QueueIndex>();
  private readonly keys = new DedupeKeys<IndexedJob>();
  /** In the order in which they finished. */
  private readonly finished = new Set<IndexedJob>();
  /** The ids of the results that were dropped last. */
  private readonly dropped = new Set<string>();
  /** The largest number of a file and of a position. */
  private last = 0;

  /** @param ended Called when a job has finished. */
  constructor(
    path: string,
    private readonly host: Pick<EngineHost, 'clock' | 'retention' | 'queues'>,
    private readonly ended: (taskId: string) => void,
  ) {
    this.directory = new JobDirectory(path);
    for (const { name } of host.queues) this.queue(name);
    try {
      for (const name of this.directory.readPaused()) this.queue(name).paused = true;
      this.load();
    } catch (error) {
      this.directory.close();
      throw error;
    }
  }

  insert(job: NewJob): Accepted {
    const now = this.host.clock.now();
    const { dedupe } = job;
    const taskId = job.taskId ?? randomUUID();
    if (this.find(taskId) !== undefined) return new Duplicate(taskId);
    const existing = dedupe && this.keys.existing(dedupe, now);
    if (existing) {
      if (dedupe.mode === 'debounce') this.debounce(existing.job as IndexedJob, job, now);
      return new Duplicate(existing.taskId);
    }
    const number = ++this.last;
    const { delay, bypassMaxPending: _, ...given } = job;
    const dueAt = delay > 0 ? now + delay : null;
    const stored: StoredJob = { ...NEW, ...given, taskId, submittedAt: now, dueAt, order: number };
    this.directory.write(number, stored);
    const added = this.add(number, stored);
    if (dedupe) this.keys.put(dedupe, added, now);
    this.dropped.delete(taskId);
    return taskId;
  }

  /** All jobs or none; if the process crashes meanwhile, some of them. */
  insertMany(jobs: readonly NewJob[]): Accepted[] {
    const answers: Accepted[] = [];
    try {
      for (const job of jobs) answers.push(this.insert(job));
      return answers;
    } catch (error) {
      for (const answer of answers) if (typeof answer === 'string') this.takeBack(answer);
      throw error;
    }
  }

  hasExisting({ taskId, dedupe }: NewJob): boolean {
    if (taskId !== undefined && this.find(taskId) !== undefined) return true;
    return dedupe !== undefined && this.keys.existing(dedupe, this.host.clock.now()) !== null;
  }

  get pendingCount(): number {
    return [...this.byQueue.values()].reduce((sum, { size }) => sum + size, 0);
  }

  // #region claim
  /** Marks the next due job of a queue as running; `null` if there is none. */
  claim(queue: string): Attempt | null {
    const now = this.host.clock.now();
    const job = this.queue(queue).next(now);
    if (job === undefined) return null;
    const stored = this.change(job, { status: 'running', startedAt: now, dueAt: null });
    job.attempt = {
      ...stored,
      startedAt: now,
      lost: stored.deaths > MAX_DEATHS,
      args: () => this.directory.read(job.number).args as unknown[],
    };
    return job.attempt;
  }
  // #endregion

  // #region settle
  /** Stores an outcome. `false`, and nothing changes, if the attempt is not the job's current one. */
  settle(attempt: Attempt, outcome: Outcome): boolean {
    const job = this.byId.get(attempt.taskId);
    if (job?.attempt !== attempt) return false;
    const now = this.host.clock.now();
    const { delay, first, ...state } = nextState(attempt, outcome, now);
    const order = first || state.finishedAt !== null ? job.order : ++this.last;
    this.change(job, { ...state, order, dueAt: delay > 0 ? now + delay : null });
    job.attempt = null;
    return true;
  }
  // #endregion

  nextDue(queue: string): number | null {
    return this.queue(queue).nextDue;
  }

  /** The job with this id, in any state. Old results are dropped first. */
  find(taskId: string): IndexedJob | undefined {
    this.prune();
    return this.byId.get(taskId);
  }

  wasDropped(taskId: string): boolean {
    return this.dropped.has(taskId);
  }

  /** From the last submission to the first. */
  newestFirst(): IndexedJob[] {
    this.prune();
    return [...this.byId.values()].reverse();
  }

  row(job: IndexedJob): JobRow & Required<Pick<JobRow, 'args' | 'logs'>> {
    return { ...this.directory.read(job.number), dueAt: job.dueAt };
  }

  report(attempt: Attempt, { progress, lines }: JobReport): void {
    const job = this.byId.get(attempt.taskId);
    if (job?.attempt !== attempt) return;
    const stored = this.directory.read(job.number);
    const logs = [...stored.logs, ...lines].slice(-MAX_LOG_LINES);
    this.directory.write(job.number, { ...stored, logs, progress: progress ?? stored.progress });
  }

  cancelWaiting(job: IndexedJob, reason: string): void {
    this.change(job, { status: 'cancelled', reason, finishedAt: this.host.clock.now(), dueAt: null });
  }

  /** A failed job waits again. */
  requeue(job: IndexedJob): void {
    const now = this.host.clock.now();
    const anew = { retries: 0, startedAt: null, finishedAt: null, progress: null, order: ++this.last };
    this.change(job, { ...anew, status: 'pending' });
    if (job.dedupe) this.keys.requeued(job, job.dedupe, now);
  }

  remove(job: IndexedJob): void {
    this.directory.remove(job.number);
    this.finished.delete(job);
    this.byId.delete(job.taskId);
    this.queue(job.queue).counts[job.status]--;
  }

  pause(queue: string, paused: boolean): void {
    const names = new Set(this.directory.readPaused());
    if (paused) names.add(queue);
    else names.delete(queue);
    this.directory.writePaused([...names]);
    this.queue(queue).paused = paused;
  }

  get queues(): Iterable<[string, QueueIndex]> {
    return this.byQueue;
  }

  close(): void {
    this.directory.close();
  }

  private load(): void {
    const finished: IndexedJob[] = [];
    for (const [number, stored] of this.directory.jobs()) {
      this.last = Math.max(this.last, number, stored.order);
      const job = this.add(number, stored);
      if (job.dedupe) this.keys.put(job.dedupe, job, job.submittedAt);
      if (job.finished) finished.push(job);
      if (job.finished && job.dedupe) this.keys.ended(job, job.dedupe);
      // The process that ran the job has died.
      if (job.status === 'running')
        this.change(job, { status: waitingStatus(stored.retries), deaths: stored.deaths + 1 });
    }
    finished.sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0));
    for (const job of finished) this.finished.add(job);
  }

  private add(number: number, stored: StoredJob): IndexedJob {
    const job = new IndexedJob(number, stored);
    this.byId.set(job.taskId, job);
    const queue = this.queue(job.queue);
    queue.counts[job.status]++;
    if (isWaiting(job)) queue.add(job);
    return job;
  }

  /** Writes some fields of a job, and then puts it where it belongs in the index. */
  private change(job: IndexedJob, fields: Partial<StoredJob>): StoredJob {
    const stored = { ...this.directory.read(job.number), ...fields };
    this.directory.write(job.number, stored);
    const queue = this.queue(job.queue);
    queue.counts[job.status]--;
    queue.delete(job);
    this.finished.delete(job);
    job.update(stored);
    queue.counts[job.status]++;
    if (isWaiting(job)) queue.add(job);
    if (!job.finished) return stored;
    this.finished.add(job);
    if (job.dedupe) this.keys.ended(job, job.dedupe);
    this.ended(job.taskId);
    return stored;
  }

  private takeBack(taskId: string): void {
    const job = this.byId.get(taskId) as IndexedJob;
    this.queue(job.queue).delete(job);
    this.remove(job);
    if (job.dedupe === undefined) return;
    // The end of a job frees a key with this mode, and not a throttled one.
    this.keys.put({ ...job.dedupe, mode: 'ignore' }, job, job.submittedAt);
    this.keys.ended(job, job.dedupe);
  }

  private debounce(job: IndexedJob, { args, overrides, metadata, tags, delay }: NewJob, now: number): void {
    this.change(job, { args, overrides, metadata, tags, dueAt: now + delay });
  }

  private prune(): void {
    const { resultTtl, maxResults } = this.host.retention;
    const expired = this.host.clock.now() - resultTtl;
    for (const job of this.finished) {
      if (this.finished.size <= maxResults && (job.finishedAt ?? 0) > expired) break;
      this.remove(job);
      this.dropped.add(job.taskId);
    }
    for (const taskId of this.dropped) {
      if (this.dropped.size <= maxResults) break;
      this.dropped.delete(taskId);
    }
  }

  private queue(name: string): QueueIndex {
    const queue = this.byQueue.get(name) ?? new QueueIndex();
    this.byQueue.set(name, queue);
    return queue;
  }
}

function isWaiting({ status }: IndexedJob): boolean {
  return status === 'pending' || status === 'retrying';
}
