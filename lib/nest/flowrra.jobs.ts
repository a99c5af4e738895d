import type { Clock } from '../job/clock.js';
import { type JobDetails, type JobSummary, jobSummaryOf } from '../job/job-view.js';
import { ExecutorNotRunningError } from '../job/errors.js';
import type { BulkOperation } from '../engine/control.js';
import type { TaskStatus } from '../job/job.js';
import type { QueueCounts } from '../job/query.js';
import type { BulkQuery } from '../run/job-operations.js';
import {
  CANCEL_RULES,
  type CancelOptions,
  RETRY_RULES,
  type RetryOptions,
} from './options/service-options.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';
import { lookedUpId } from '../job/names.js';
import {
  type JobBulkFilter,
  type JobFindOptions,
  resolveJobBulk,
  resolveJobQuery,
} from './options/job-query-options.js';

/** The statuses to which the operations on many jobs apply. */
const FAILED: readonly TaskStatus[] = ['failed'];
const UNFINISHED: readonly TaskStatus[] = ['pending', 'retrying', 'suspended', 'running'];
const FINISHED: readonly TaskStatus[] = ['success', 'failed', 'cancelled'];

/** One page of jobs. */
export interface JobPage {
  /** At most `limit` jobs. A page may have fewer, even none, before the last one, since each reads a bounded number. */
  readonly jobs: readonly JobSummary[];
  /** The cursor of the next page: `find({ …, cursor })`. `null` after the last page. */
  readonly cursor: string | null;
}

/** Reads, retries, cancels and removes jobs of all processes. */
export class FlowrraJobs {
  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly clock: Clock,
  ) {}

  /**
   * A job with its arguments, errors and logs. `null` if the id is unknown or the result has expired.
   *
   * @throws {FlowrraConfigError} if the id is not a string, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async get(taskId: string): Promise<JobDetails | null> {
    const { operations } = this;
    const id = lookedUpId(taskId);
    return id === null ? null : operations.get(id);
  }

  /**
   * One page of jobs. The cost of a page is bounded, however many jobs there are.
   *
   * @throws {FlowrraConfigError} if an option is unknown or invalid, if the cursor is not of this engine, and in a
   *   CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async find(options: JobFindOptions = {}): Promise<JobPage> {
    const { rows, cursor } = await this.operations.find(resolveJobQuery(options));
    return { jobs: rows.map(jobSummaryOf), cursor };
  }

  /**
   * The number of jobs by status, for each queue. Over BullMQ, `pending` includes `retrying`.
   *
   * @throws {FlowrraConfigError} in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async counts(): Promise<readonly QueueCounts[]> {
    return this.operations.counts();
  }

  /**
   * Makes a failed job wait again, with the same id and all of its retries. It keeps its errors. The finished steps of
   * a durable job stay, except for those that have been undone.
   *
   * @returns `false` if no failed job has the id.
   * @throws {FlowrraConfigError} if the id is not a string, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async retry(taskId: string, options: RetryOptions = {}): Promise<boolean> {
    const { operations } = this;
    const { fromStep } = RETRY_RULES.resolve(options, 'retry()', '');
    const id = lookedUpId(taskId);
    return id !== null && operations.retry(id, fromStep);
  }

  /**
   * Retries all failed jobs, or those that match the filter, as `retry` does. Jobs that fail after the call are not
   * retried.
   *
   * @returns The number of retried jobs.
   * @throws {FlowrraConfigError} if an option is unknown or invalid, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried. Some jobs may have been retried: call it again.
   */
  async retryAll(filter: JobBulkFilter = {}): Promise<number> {
    return this.bulk({ kind: 'retry' }, resolveJobBulk(filter, 'retryAll()', FAILED));
  }

  /**
   * Cancels all unfinished jobs, or those that match the filter, as `flowrra.cancel` does. Jobs that are submitted
   * after the call are not cancelled.
   *
   * @returns The number of jobs that have ended as cancelled or run and whose signals are aborted.
   * @throws {FlowrraConfigError} if an option is unknown or invalid, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried. Some jobs may have been cancelled: call it again.
   */
  async cancelAll(filter: JobBulkFilter = {}, options: CancelOptions = {}): Promise<number> {
    const { reason } = CANCEL_RULES.resolve(options, 'cancelAll()', '');
    return this.bulk({ kind: 'cancel', reason }, resolveJobBulk(filter, 'cancelAll()', UNFINISHED));
  }

  /**
   * Removes all finished jobs and their results, or those that match the filter, as `remove` does. Jobs that end after
   * the call are not removed.
   *
   * @returns The number of removed jobs.
   * @throws {FlowrraConfigError} if an option is unknown or invalid, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried. Some jobs may have been removed: call it again.
   */
  async removeAll(filter: JobBulkFilter = {}): Promise<number> {
    return this.bulk({ kind: 'remove' }, resolveJobBulk(filter, 'removeAll()', FINISHED));
  }

  /**
   * Removes a finished job and its result.
   *
   * @returns `false` if no finished job has the id.
   * @throws {FlowrraConfigError} if the id is not a string, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async remove(taskId: string): Promise<boolean> {
    const { operations } = this;
    const id = lookedUpId(taskId);
    return id !== null && operations.remove(id);
  }

  private async bulk(operation: BulkOperation, query: BulkQuery): Promise<number> {
    try {
      return await this.operations.bulk(operation, query, this.clock.now());
    } catch (error) {
      if (this.runtime.isConnected) throw error;
      // The error of an engine that was closed meanwhile does not say why.
      throw new ExecutorNotRunningError(
        'The operation on many jobs has ended early, since the application has stopped. Repeat it after the next start.',
        { cause: error },
      );
    }
  }

  private get operations() {
    return this.runtime.parts.operations;
  }
}
