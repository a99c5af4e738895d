import { FlowrraConfigError } from './errors.js';
import type { JobRow, TaskStatus } from './job.js';
import { showValue } from './show-value.js';

/** A filter over jobs, and a place in the list of those that match. */
export interface JobQuery {
  /** `undefined` for any. */
  readonly status: readonly TaskStatus[] | undefined;
  readonly task: string | undefined;
  readonly queue: string | undefined;
  /** The earliest time of submission, inclusive, in milliseconds since the epoch. */
  readonly from: number | undefined;
  /** The latest time of submission, exclusive, in milliseconds since the epoch. */
  readonly to: number | undefined;
  /** The `cursor` of the page before; `null` for the first page. */
  readonly cursor: string | null;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** An engine reads a bounded number of jobs for one page, so a page may hold fewer than `limit`, even none. */
export interface RowPage {
  readonly rows: readonly JobRow[];
  /** For the next page; `null` at the end. */
  readonly cursor: string | null;
}

/** The number of jobs of a queue by status. */
export interface QueueCounts extends Readonly<Record<TaskStatus, number>> {
  /** The queue's name. */
  readonly queue: string;
  /** Whether no process starts jobs of this queue until it is resumed. */
  readonly paused: boolean;
}

/** The error for a cursor that this engine has not given. */
export function badCursor(cursor: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `cursor: ${showValue(cursor)} is no cursor of this engine. Give the cursor of the page before, with the same options, or none for the first page.`,
  );
}

/** Whether a job passes the filter of a query. */
export function matches(
  { status, task, queue, from, to }: JobQuery,
  job: Pick<JobRow, 'status' | 'taskName' | 'queue' | 'submittedAt'>,
): boolean {
  return (
    (status === undefined || status.includes(job.status)) &&
    (task === undefined || task === job.taskName) &&
    (queue === undefined || queue === job.queue) &&
    (from === undefined || job.submittedAt >= from) &&
    (to === undefined || job.submittedAt < to)
  );
}
