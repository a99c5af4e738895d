import type { Cancellation, JobControl } from '../engine/control.js';
import type { MaybePromise } from '../job/async.js';
import { steadyTime, type Clock } from '../job/clock.js';
import { ResultNotFoundError, TaskTimeoutError } from '../job/errors.js';
import type { JobRow } from '../job/job.js';
import { type TaskResult, taskResultOf } from '../job/task-result.js';
import { ResultBackend, type WaitOptions } from '../results/result-backend.js';
import { jobFromText, rowOf } from './outbox-job.js';
import type { OutboxRow, OutboxTable } from './outbox-table.js';

/** How often a wait looks whether its job has been relayed. */
const LOOK_MS = 100;

export interface UnrelayedParts {
  readonly table: OutboxTable;
  readonly clock: Clock;
  /** Makes the relay of this process look at once. */
  readonly wake: () => void;
}

/** Jobs that are committed and that no relay has handed to the engine yet. */
export class UnrelayedJobs {
  constructor(private readonly parts: UnrelayedParts) {}

  find(taskId: string): Promise<OutboxRow | null> {
    return this.parts.table.find(taskId);
  }

  /** The job as if the engine had it. */
  rowOf(row: OutboxRow): JobRow {
    const { taskId, job, createdAt, cancelReason } = row;
    return rowOf(jobFromText(taskId, job, 0, createdAt), { createdAt, cancelReason });
  }

  /** Notes that the job is to be cancelled; a relay carries it out. The row afterwards; `null` if it is gone. */
  async cancel(taskId: string, reason: string): Promise<OutboxRow | null> {
    // On MySQL, the update would wait for a transaction that has inserted the job and is not committed.
    if ((await this.find(taskId)) === null) return null;
    await this.parts.table.cancel(taskId, reason);
    const row = await this.find(taskId);
    if (row !== null) this.parts.wake();
    return row;
  }

  /**
   * Waits until the engine has the job, or until another job stands for it.
   *
   * @returns the id to ask the engine for.
   */
  async untilRelayed(taskId: string, { timeout = Infinity, signal }: WaitOptions): Promise<string> {
    const { clock } = this.parts;
    const end = steadyTime(clock) + timeout;
    for (;;) {
      const row = await this.find(taskId);
      if (row === null) return taskId;
      if (row.sameAs !== null) return row.sameAs;
      signal?.throwIfAborted();
      if (steadyTime(clock) >= end)
        throw new TaskTimeoutError(
          `${taskId} was not finished within ${timeout} ms: it still waits in the outbox. Wait again, or ask with getResult.`,
        );
      await this.pause(Math.min(LOOK_MS, end - steadyTime(clock)), signal);
    }
  }

  private pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.parts.clock.after(ms, done);
      signal?.addEventListener('abort', done, { once: true });
      function done(): void {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      }
    });
  }
}

/** Results of the engine and of jobs that it does not have yet. */
export class ResultsWithUnrelayed extends ResultBackend {
  constructor(
    private readonly engine: ResultBackend,
    private readonly jobs: UnrelayedJobs,
    private readonly clock: Clock,
  ) {
    super();
  }

  store(taskId: string, result: TaskResult): MaybePromise<void> {
    return this.engine.store(taskId, result);
  }

  async get(taskId: string): Promise<TaskResult | null> {
    const known = await this.engine.get(taskId);
    if (known !== null) return known;
    const row = await this.jobs.find(taskId);
    // Between the two reads, a relay may have handed on the job.
    if (row === null) return this.engine.get(taskId);
    return row.sameAs === null ? taskResultOf(this.jobs.rowOf(row)) : this.engine.get(row.sameAs);
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<TaskResult> {
    const begun = steadyTime(this.clock);
    try {
      return await this.engine.waitFor(taskId, options);
    } catch (error) {
      if (!(error instanceof ResultNotFoundError)) throw error;
    }
    const id = await this.jobs.untilRelayed(taskId, options);
    const { timeout } = options;
    const left =
      timeout === undefined ? {} : { timeout: Math.max(0, timeout - (steadyTime(this.clock) - begun)) };
    try {
      return await this.engine.waitFor(id, { ...options, ...left });
    } catch (cause) {
      if (!(cause instanceof ResultNotFoundError)) throw cause;
      throw new ResultNotFoundError(
        `${cause.message} If it was submitted in a transaction, that has not been committed yet, or was rolled back.`,
        { cause },
      );
    }
  }

  override delete(taskId: string): MaybePromise<boolean> {
    return this.engine.delete?.(taskId) ?? false;
  }

  override clear(): MaybePromise<void> {
    return this.engine.clear?.();
  }

  override close(): MaybePromise<void> {
    return this.engine.close?.();
  }
}

/** The control of the engine, which finds and cancels jobs that the engine does not have yet. */
export function controlWithUnrelayed(control: JobControl, jobs: UnrelayedJobs): JobControl {
  return new ControlWithUnrelayed(control, jobs);
}

class ControlWithUnrelayed implements JobControl {
  readonly report: JobControl['report'];
  readonly find: JobControl['find'];
  readonly counts: JobControl['counts'];
  readonly retry: JobControl['retry'];
  readonly remove: JobControl['remove'];
  readonly bulk: JobControl['bulk'];
  readonly pause: JobControl['pause'];
  readonly resume: JobControl['resume'];

  constructor(
    private readonly control: JobControl,
    private readonly jobs: UnrelayedJobs,
  ) {
    this.report = control.report.bind(control);
    this.find = control.find.bind(control);
    this.counts = control.counts.bind(control);
    this.retry = control.retry.bind(control);
    this.remove = control.remove.bind(control);
    this.bulk = control.bulk.bind(control);
    this.pause = control.pause.bind(control);
    this.resume = control.resume.bind(control);
  }

  async job(taskId: string): Promise<JobRow | null> {
    const known = await this.control.job(taskId);
    if (known !== null) return known;
    const row = await this.jobs.find(taskId);
    if (row === null) return this.control.job(taskId);
    return row.sameAs === null ? this.jobs.rowOf(row) : this.control.job(row.sameAs);
  }

  async cancel(taskId: string, reason: string): Promise<Cancellation> {
    const answer = await this.control.cancel(taskId, reason);
    if (answer.kind !== 'unknown') return answer;
    const row = await this.jobs.cancel(taskId, reason);
    if (row === null) return this.control.cancel(taskId, reason);
    if (row.sameAs !== null) return this.control.cancel(row.sameAs, reason);
    return { kind: 'signalled' };
  }
}
