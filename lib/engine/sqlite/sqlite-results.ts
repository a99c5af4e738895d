import { ExecutorNotRunningError, ResultExpiredError, ResultNotFoundError } from '../../job/errors.js';
import type { Retention } from '../../job/queue.js';
import type { Clock } from '../../job/clock.js';
import { isFinal } from '../../job/job.js';
import {
  type FinishedTaskResult,
  type TaskResult,
  droppedResult,
  taskResultOf,
} from '../../job/task-result.js';
import { AbortListeners, waitUntil } from '../../results/wait-until.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import { Waiters } from '../../results/waiters.js';
import { hasExpired, type SqliteRow, toJobState } from './sql/job-row.js';
import type { JobReads } from './sql/job-reads.js';
import type { ClaimedJobs } from './work/claimed-jobs.js';

/** The most rows that are read in one turn of the event loop. */
const MAX_READ = 500;

export interface SqliteResultsParts {
  readonly clock: Clock;
  readonly retention: Retention;
  readonly reads: JobReads;
  readonly claimed: ClaimedJobs;
}

/** Results in the file, and waits for jobs, whichever process runs them. */
export class SqliteResults extends ResultBackend {
  /** By row. */
  private readonly waiters = new Waiters<number>();
  private readonly aborts = new AbortListeners();
  /** The place in the order of finished jobs up to which waits have been answered. */
  private seen = 0;
  /** The current pass of {@link checkDropped}. */
  private pass: IterableIterator<number> | null = null;
  private closed = false;

  constructor(private readonly parts: SqliteResultsParts) {
    super();
  }

  /** Nothing to do: the job's row holds the result. */
  store(): void {}

  get(taskId: string): TaskResult | null {
    const row = this.find(taskId);
    return row ? taskResultOf(toJobState(row)) : null;
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const { clock, reads } = this.parts;
    this.assertOpen();
    // Before the row is read, so that the next check finds a job that finishes in between.
    if (this.waiters.size === 0) this.seen = reads.lastNumber();
    const row = this.find(taskId);
    if (row === undefined) throw this.missing(taskId);
    if (isFinal(row.status)) return taskResultOf(toJobState(row)) as FinishedTaskResult;
    return waitUntil(taskId, options, clock, this.aborts, (waiter) => this.waiters.add(row.id, waiter));
  }

  /**
   * Answers the waits for a finished job.
   *
   * @param read Reads the job's row; `undefined` if it has been dropped.
   */
  finished(id: number, read: () => SqliteRow | undefined): void {
    if (!this.waiters.has(id)) return;
    const waiters = this.waiters.take(id);
    const row = read();
    for (const waiter of waiters) waiter(row ? readable(row) : this.dropped());
  }

  /** Answers waits for jobs that other processes have finished. */
  readonly checkFinished = (): void => {
    if (this.waiters.size === 0 || this.closed) return;
    const { reads } = this.parts;
    const some = reads.finishedAfter(this.seen, MAX_READ);
    for (const { id, finish_order: order } of some) {
      this.seen = order;
      this.finished(id, () => reads.at(id));
    }
    if (some.length === MAX_READ) setImmediate(this.checkFinished);
  };

  /** Ends waits for results that were dropped between two checks. Each call continues the pass over all waits. */
  checkDropped(): void {
    this.pass ??= this.waiters.jobs();
    for (let read = 0; read < MAX_READ; read++) {
      const { value: id, done } = this.pass.next();
      if (done || id === undefined) {
        this.pass = null;
        return;
      }
      if (!this.parts.reads.isThere(id)) this.finished(id, () => undefined);
    }
  }

  override close(): void {
    this.closed = true;
    const stopped = (): Promise<never> =>
      Promise.reject(
        new ExecutorNotRunningError(
          'The executor stopped before this job finished. The job is kept: wait for it again after the next start.',
        ),
      );
    for (const waiter of this.waiters.takeAll()) waiter(stopped());
  }

  /** Expired results count as dropped, even while their rows exist. */
  private find(taskId: string): SqliteRow | undefined {
    this.assertOpen();
    const { reads, clock, retention, claimed } = this.parts;
    const row = reads.find(taskId);
    if (row === undefined || hasExpired(row, clock.now(), retention.resultTtl)) return undefined;
    return claimed.asSeen(row);
  }

  private missing(taskId: string): Error {
    return this.parts.reads.wasIssued(taskId)
      ? droppedResult(taskId)
      : new ResultNotFoundError(`This database file has no job '${taskId}'.`);
  }

  private dropped(): Promise<never> {
    return Promise.reject(
      new ResultExpiredError(
        'The result has been dropped, by resultTtl or maxResults, before it could be read.',
      ),
    );
  }

  private assertOpen(): void {
    if (this.closed) throw new ExecutorNotRunningError('The database file is not open.');
  }
}

/** The result of a row. If the row is unreadable, only the waits for this job reject. */
function readable(row: SqliteRow): FinishedTaskResult | Promise<never> {
  try {
    return taskResultOf(toJobState(row)) as FinishedTaskResult;
  } catch (error) {
    return Promise.reject(error);
  }
}
