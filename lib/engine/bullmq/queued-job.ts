import type { AnyQueue } from './server/bull-server.js';
import type { BullJobOptions } from './job-mapping.js';

/** A job on its way into a queue. */
export interface QueuedJob {
  readonly queue: string;
  readonly name: string;
  readonly data: unknown;
  readonly options: BullJobOptions;
}

/** Adds jobs in one call, and returns the ids of those that stand for them. For a single one, BullMQ's call for many costs more. */
export async function addJobs(queue: AnyQueue, jobs: readonly QueuedJob[]): Promise<string[]> {
  const [only] = jobs;
  if (only !== undefined && jobs.length === 1) {
    const { id } = await queue.add(only.name, only.data, only.options);
    return [id as string];
  }
  const added = await queue.addBulk(jobs.map(({ name, data, options }) => ({ name, data, opts: options })));
  return added.map(({ id }) => id as string);
}
