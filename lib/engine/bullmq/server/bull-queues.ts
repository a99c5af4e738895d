import type { JobType } from 'bullmq';
import { queueOf } from '../id-generator.js';
import type { BullJob } from '../job-mapping.js';
import { isMalformed } from '../malformed-job.js';
import type { AnyQueue, BullServer, ServerJobs } from './bull-server.js';

/** `opts` is absent if BullMQ cannot read the job. */
type StoredJob = BullJob & { readonly opts?: object };

/** A job, with the queue and the list where it was found. */
export interface FoundJob {
  readonly queue: string;
  /** BullMQ's name of the job's state. */
  readonly list: string;
  readonly job: StoredJob;
}

/** BullMQ's lists of unfinished jobs that are not active. In a paused queue, PostgreSQL counts waiting jobs as `paused`. */
export const PENDING = ['waiting', 'paused', 'prioritized', 'delayed', 'waiting-children'] as JobType[];

/** The application's queues, and reads of their jobs. */
export class BullQueues {
  private constructor(
    private readonly queues: ReadonlyMap<string, AnyQueue>,
    private readonly jobs: ServerJobs,
    /** {@link BullQueues.droppedUntil} */
    private readonly dropTime: () => number,
  ) {}

  /**
   * Rejects, and leaves nothing behind, if the server is unreachable.
   *
   * @param dropTime See {@link BullQueues.droppedUntil}.
   * @param onError Called for each error of a queue.
   */
  static async open(
    names: readonly string[],
    server: BullServer,
    jobs: ServerJobs,
    dropTime: () => number,
    onError: (error: Error) => void,
  ): Promise<BullQueues> {
    const queues = names.map((name) => [name, server.queue(name)] as const);
    for (const [, queue] of queues) queue.on('error', onError);
    try {
      await Promise.all(queues.map(([, queue]) => queue.waitUntilReady()));
    } catch (error) {
      for (const [, queue] of queues) void queue.close().catch(onError);
      throw error;
    }
    return new BullQueues(new Map(queues), jobs, dropTime);
  }

  get names(): readonly string[] {
    return [...this.queues.keys()];
  }

  has(name: string): boolean {
    return this.queues.has(name);
  }

  /** @throws {Error} if the application has no queue with that name. */
  get(name: string): AnyQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new Error(`There is no queue '${name}'`);
    return queue;
  }

  /** Results of jobs that finished at this time or before count as dropped, though BullMQ may still keep them. */
  get droppedUntil(): number {
    return this.dropTime();
  }

  isDropped({ finishedOn = Infinity }: StoredJob): boolean {
    return finishedOn <= this.dropTime();
  }

  async find(taskId: string): Promise<FoundJob | null> {
    for (const queue of this.queuesOf(taskId)) {
      const found = await this.look(queue, taskId);
      // A job in another queue may have the same chosen id.
      if (found !== null && !this.isDropped(found.job)) return found;
    }
    return null;
  }

  /** @param list The list where the job was seen last. */
  async look(queue: string, taskId: string, list?: string): Promise<FoundJob | null> {
    const bull = this.get(queue);
    const [at, job] = await Promise.all([list ?? bull.getJobState(taskId), this.job(queue, taskId)]);
    if (job === undefined) return null;
    if (hasEnded(at) === (job.finishedOn !== undefined)) return foundAt(queue, at, job);
    // The job moved between the two reads. In this order, a job never seems finished without its result.
    const before = await bull.getJobState(taskId);
    return foundAt(queue, before, await this.job(queue, taskId));
  }

  /** The job as BullMQ reads it, or its readable part: one unreadable job must not break a list. */
  async job(queue: string, taskId: string): Promise<StoredJob | undefined> {
    try {
      return await this.get(queue).getJob(taskId);
    } catch (error) {
      if (!isMalformed(error)) throw error;
      return (await this.jobs.salvage({ queue, taskId })) ?? undefined;
    }
  }

  /** The number of unfinished jobs that are neither active nor suspended. */
  async pendingCount(): Promise<number> {
    const counts = await Promise.all([
      ...[...this.queues.values()].map((queue) => queue.getJobCountByTypes(...PENDING)),
      ...this.names.map(async (name) => -(await this.jobs.journals.suspendedCount(name))),
    ]);
    return Math.max(
      0,
      counts.reduce((sum, count) => sum + count, 0),
    );
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
  }

  /** A chosen id names no queue, even if it looks like a generated id. */
  queuesOf(taskId: string): readonly string[] {
    const own = queueOf(taskId);
    if (own === null || !this.queues.has(own)) return this.names;
    return [own, ...this.names.filter((queue) => queue !== own)];
  }
}

function hasEnded(list: string): boolean {
  return list === 'completed' || list === 'failed';
}

function foundAt(queue: string, list: string, job: StoredJob | undefined): FoundJob | null {
  return job === undefined || list === 'unknown' ? null : { queue, list, job };
}
