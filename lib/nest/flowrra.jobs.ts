import type { Clock } from '../job/clock.js';
import { type JobDetails, type JobSummary, jobSummaryOf } from '../job/job-view.js';
import type { QueueCounts } from '../job/query.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';
import type { JobFilter, JobFindOptions } from './options/job-query-options.js';
import { lookedUpId } from '../job/names.js';
import { resolveJobFilter, resolveJobQuery } from './options/resolve-job-query.js';

/** One page of jobs. */
export interface JobPage {
  /** Fewer than `limit`, even none, though more may come: looking is cut off after a bounded number of jobs. */
  readonly jobs: readonly JobSummary[];
  /** Gives the next page: `find({ …, cursor })`. `null` at the end. */
  readonly cursor: string | null;
}

/** Looking at jobs, of whichever process, and doing to them what operators do. */
export class FlowrraJobs {
  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly clock: Clock,
  ) {}

  /** A job with its arguments, errors and logs; `null` for an id that is unknown or whose result has been dropped. */
  async get(taskId: string): Promise<JobDetails | null> {
    const { operations } = this;
    const id = lookedUpId(taskId);
    return id === null ? null : operations.get(id);
  }

  /**
   * Jobs page by page. The cost of a page is bounded, whatever there is to find.
   *
   * @throws {FlowrraConfigError} for an option that is unknown or out of range.
   */
  async find(options: JobFindOptions = {}): Promise<JobPage> {
    const { rows, cursor } = await this.operations.find(resolveJobQuery(options));
    return { jobs: rows.map(jobSummaryOf), cursor };
  }

  /** Every queue, with the number of its jobs by status. Over BullMQ, `pending` includes `retrying`. */
  async counts(): Promise<readonly QueueCounts[]> {
    return this.operations.counts();
  }

  /**
   * Puts a failed job back into line, under its id and with all its retries; its errors stay.
   * Resolves with `false` if no failed job has that id.
   */
  async retry(taskId: string): Promise<boolean> {
    const { operations } = this;
    const id = lookedUpId(taskId);
    return id !== null && operations.retry(id);
  }

  /** Puts back every failed job that the filter fits, or every one, and says how many. */
  async retryAll(filter: JobFilter = {}): Promise<number> {
    return this.operations.retryAll(resolveJobFilter(filter), this.clock.now());
  }

  /** Forgets a finished job and its result. Resolves with `false` if no finished job has that id. */
  async remove(taskId: string): Promise<boolean> {
    const { operations } = this;
    const id = lookedUpId(taskId);
    return id !== null && operations.remove(id);
  }

  private get operations() {
    return this.runtime.parts.operations;
  }
}
