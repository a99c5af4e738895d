import { FlowrraConfigError } from './errors.js';
import { isFinal, type JobRow, type TaskStatus } from './job.js';
import { showValue } from './show-value.js';

/** The conditions that a job has to meet. */
export interface JobConditions {
  /** `undefined` for any. */
  readonly status: readonly TaskStatus[] | undefined;
  readonly task: string | undefined;
  readonly queue: string | undefined;
  /** The earliest time of submission, inclusive, in milliseconds since the epoch. */
  readonly from: number | undefined;
  /** The latest time of submission, exclusive, in milliseconds since the epoch. */
  readonly to: number | undefined;
  /** The latest time of the end, exclusive, in milliseconds since the epoch. Unfinished jobs do not match. */
  readonly finishedBefore: number | undefined;
  /** A tag that the job has. */
  readonly tag: string | undefined;
}

/** Conditions, and a position in the list of the jobs that meet them. */
export interface JobQuery extends JobConditions {
  /** The `cursor` of the previous page; `null` for the first page. */
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

/** The error for a cursor that this engine has not returned. */
export function badCursor(cursor: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `cursor: ${showValue(cursor)} is no cursor of this engine. Give the cursor of the previous page, with the same options, or none for the first page.`,
  );
}

/** Whether a job passes the filter of a query. */
export function matches(
  { status, task, queue, from, to, finishedBefore, tag }: JobConditions,
  job: Pick<JobRow, 'status' | 'taskName' | 'queue' | 'submittedAt' | 'finishedAt' | 'tags'>,
): boolean {
  return (
    (status === undefined || status.includes(job.status)) &&
    (task === undefined || task === job.taskName) &&
    (queue === undefined || queue === job.queue) &&
    (from === undefined || job.submittedAt >= from) &&
    (to === undefined || job.submittedAt < to) &&
    (finishedBefore === undefined || endedBefore(finishedBefore, job)) &&
    (tag === undefined || job.tags?.includes(tag) === true)
  );
}

/** A job that has not ended has no meaningful `finishedAt` on the memory engine. */
function endedBefore(time: number, { status, finishedAt }: Pick<JobRow, 'status' | 'finishedAt'>): boolean {
  return isFinal(status) && finishedAt !== null && finishedAt < time;
}
