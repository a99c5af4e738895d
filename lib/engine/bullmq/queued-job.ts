import type { AnyQueue } from './bull-server.interface.js';
import type { BullJobOptions } from './job-mapping.js';

/** A job on its way into a queue. */
export interface QueuedJob {
  readonly queue: string;
  readonly name: string;
  readonly data: unknown;
  readonly options: BullJobOptions;
}

/** Adds jobs in one call. For a single one, BullMQ's call for many costs more. */
export async function addJobs(queue: AnyQueue, jobs: readonly QueuedJob[]): Promise<void> {
  const [only] = jobs;
  if (only !== undefined && jobs.length === 1) await queue.add(only.name, only.data, only.options);
  else await queue.addBulk(jobs.map(({ name, data, options }) => ({ name, data, opts: options })));
}
