import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';
import type { TaskStatus } from './task-result.js';
import type { JobQuery } from '../engine/control.js';

/** For a cursor that no page has ended with. */
export function badCursor(cursor: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `cursor: ${showValue(cursor)} is no cursor of this engine's. Give that of the page before, with the same options, or none to begin anew.`,
  );
}

/** As much of a job as queries ask about. */
interface Job {
  readonly status: TaskStatus;
  readonly taskName: string;
  readonly queue: string;
  readonly submittedAt: number;
}

/** Whether a job is one of those that a query asks for. */
export function matches({ status, task, queue, from, to }: JobQuery, job: Job): boolean {
  return (
    (status === undefined || status.includes(job.status)) &&
    (task === undefined || task === job.taskName) &&
    (queue === undefined || queue === job.queue) &&
    (from === undefined || job.submittedAt >= from) &&
    (to === undefined || job.submittedAt < to)
  );
}
