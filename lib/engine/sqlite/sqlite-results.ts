import type { Clock } from '../../job/clock.js';
import { ExecutorNotRunningError, ResultExpiredError, ResultNotFoundError } from '../../job/errors.js';
import type { FinishedTaskResult, TaskResult } from '../../job/task-result.js';
import { isFinal } from '../../job/status.js';
import { taskResultOf } from '../../job/task-snapshot.js';
import { AbortListeners } from '../../results/abort-listeners.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import { Waiters } from '../../results/waiters.js';
import { waitUntil } from '../../results/wait-until.js';
import { hasExpired, type ResultRow, stateOf } from './sql/job-row.js';
import type { JobReads } from './sql/job-reads.js';

/** Finished jobs of other processes are looked at this many at a time. */
const SEEN_AT_ONCE = 500;

export interface ResultsSource {
  readonly clock: Clock;
  readonly resultTtl: number;
  readonly reads: JobReads;
  /** The row as this process knows it: what was taken and has not been started still waits. */
  asSeen<R extends ResultRow>(row: R): R;
}

/** Results as the file keeps them, and those who wait for one, whichever process it comes from. */
export class SqliteResults extends ResultBackend {
  private source: ResultsSource | null = null;
  /** By row. */
  private readonly waiters = new Waiters<number>();
  private readonly aborts = new AbortListeners();
  /** Where in the order of finished jobs to go on looking. */
  private seen = 0;
  /** Where {@link lookForDropped} stands. */
  private round: IterableIterator<number> | null = null;

  open(source: ResultsSource): void {
    this.source = source;
  }

  /** The row is the result already. */
  store(): void {}

  get(taskId: string): TaskResult | null {
    const row = this.find(taskId);
    return row ? taskResultOf(stateOf(row)) : null;
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    // Before the row is read: a job that finishes in between is seen by the next look.
    if (this.waiters.size === 0) this.seen = this.opened.reads.lastNumber();
    const row = this.find(taskId);
    if (row === undefined) throw this.missing(taskId);
    if (isFinal(row.status)) return taskResultOf(stateOf(row)) as FinishedTaskResult;
    return waitUntil(taskId, options, this.opened.clock, this.aborts, (waiter) =>
      this.waiters.add(row.id, waiter),
    );
  }

  /**
   * The job of a row has finished.
   *
   * @param read What the row says now.
   */
  finished(id: number, read: () => ResultRow | undefined): void {
    if (!this.waiters.has(id)) return;
    const waiters = this.waiters.take(id);
    const row = read();
    for (const waiter of waiters) waiter(row ? readable(row) : this.dropped());
  }

  /** Other processes may have finished jobs. */
  readonly look = (): void => {
    if (this.waiters.size === 0 || this.source === null) return;
    const some = this.source.reads.finishedAfter(this.seen, SEEN_AT_ONCE);
    for (const { id, finish_order: order } of some) {
      this.seen = order;
      this.finished(id, () => this.opened.reads.at(id));
    }
    // The rest in another turn of the event loop.
    if (some.length === SEEN_AT_ONCE) setImmediate(this.look);
  };

  /** Ends waits for jobs whose results came and were dropped between two looks: some at a time, in turns. */
  lookForDropped(): void {
    this.round ??= this.waiters.jobs();
    for (let looked = 0; looked < SEEN_AT_ONCE; looked++) {
      const { value: id, done } = this.round.next();
      if (done || id === undefined) {
        this.round = null;
        return;
      }
      if (!this.opened.reads.isThere(id)) this.finished(id, () => undefined);
    }
  }

  override close(): void {
    this.source = null;
    this.round = null;
    const closed = (): Promise<never> =>
      Promise.reject(
        new ExecutorNotRunningError(
          'The executor stopped while this result was waited for. The job goes on at the next start; ask again then.',
        ),
      );
    for (const waiter of this.waiters.takeAll()) waiter(closed());
  }

  /** Results that are older than they may be are gone, though they may still lie in the file. */
  private find(taskId: string): ResultRow | undefined {
    const { reads, clock, resultTtl, asSeen } = this.opened;
    const row = reads.find(taskId);
    if (row === undefined) return undefined;
    return hasExpired(row, clock.now(), resultTtl) ? undefined : asSeen(row);
  }

  private missing(taskId: string): Error {
    return this.opened.reads.wasIssued(taskId)
      ? new ResultExpiredError(
          `The result of ${taskId} has been dropped, by resultTtl or maxResults. Raise them, or read results sooner.`,
        )
      : new ResultNotFoundError(`No job '${taskId}' is known to this database file.`);
  }

  private dropped(): Promise<never> {
    return Promise.reject(
      new ResultExpiredError(
        'The result has been dropped, by resultTtl or maxResults, before it could be read.',
      ),
    );
  }

  private get opened(): ResultsSource {
    if (this.source !== null) return this.source;
    throw new ExecutorNotRunningError('The database file is not open.');
  }
}

/** What a row says; if somebody has made it unreadable, only those who wait for it are told. */
function readable(row: ResultRow): FinishedTaskResult | Promise<never> {
  try {
    return taskResultOf(stateOf(row)) as FinishedTaskResult;
  } catch (error) {
    return Promise.reject(error);
  }
}
