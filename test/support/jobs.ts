import type { NewJob } from '../../lib/job/job.js';
import type { ResolvedQueue } from '../../lib/job/queue.js';

/** A job as a submission without options makes it. */
export function newJob(values: Partial<NewJob> = {}): NewJob {
  return {
    taskId: undefined,
    taskName: 'task',
    queue: 'q',
    priority: 0,
    delay: 0,
    args: [],
    overrides: undefined,
    metadata: undefined,
    dedupe: undefined,
    ...values,
  };
}

/** A queue without limits. */
export function queueOf(name: string, values: Partial<ResolvedQueue> = {}): ResolvedQueue {
  return {
    name,
    concurrency: 1,
    fleetConcurrency: Infinity,
    rateLimit: null,
    fleetRateLimit: null,
    ...values,
  };
}
