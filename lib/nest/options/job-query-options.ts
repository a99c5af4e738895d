import type { TaskStatus } from '../../job/job.js';

/** Which jobs are meant. Default: all. */
export interface JobFilter {
  /** The name of their task. */
  task?: string;
  /** The queue that they wait in, or have waited in. */
  queue?: string;
  /** Submitted then or later. */
  from?: Date;
  /** Submitted before then. */
  to?: Date;
}

/** Options of `jobs.find()`. */
export interface JobFindOptions extends JobFilter {
  /** One or several. Default: any. */
  status?: TaskStatus | readonly TaskStatus[];
  /** Of the page before. */
  cursor?: string | null;
  /** The most that a page may hold: 1 to 1,000. Default 50. */
  limit?: number;
}
