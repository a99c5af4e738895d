import type { JobState } from '../../core/task-snapshot.js';
import type { AnyEvents, AnyQueue, BullServer } from './bull-server.interface.js';
import type { Patience } from './io-time.js';
import { queueOf, stateOf } from './job-mapping.js';
import { OrderedAdds } from './ordered-adds.js';
import { addJobs, type QueuedJob } from './queued-job.js';
import { Sluice } from './sluice.js';

export interface BullQueuesParts {
  readonly server: BullServer;
  /** How long an addition is waited for. */
  readonly patience: Patience;
  trouble(error: Error): void;
  /** A job has ended, in any process, in a queue that is listened to. */
  ended(taskId: string): void;
}

/** Additions under way at a time, where they go through one connection. */
const MOST_ADDS = 1_000;

const PENDING = ['waiting', 'prioritized', 'delayed'] as const;

/** The application's queues, and what is asked of them. */
export class BullQueues {
  private readonly adds: ReadonlyMap<string, OrderedAdds>;
  private readonly sluice: Sluice;
  private readonly events = new Map<string, Promise<AnyEvents>>();

  private constructor(
    private readonly queues: ReadonlyMap<string, AnyQueue>,
    private readonly parts: BullQueuesParts,
  ) {
    const { server, patience } = parts;
    this.sluice = new Sluice(MOST_ADDS, patience);
    const isRefused = (error: unknown): boolean => server.refusalOf(error) === 'refused';
    this.adds = new Map(
      [...queues].map(([name, queue]) => [name, new OrderedAdds(queue, patience, isRefused)]),
    );
  }

  /** Rejects, and leaves nothing behind, if the server is out of reach. */
  static async open(names: readonly string[], parts: BullQueuesParts): Promise<BullQueues> {
    const queues = names.map((name) => [name, parts.server.queue(name)] as const);
    for (const [, queue] of queues) queue.on('error', parts.trouble);
    try {
      await Promise.all(queues.map(([, queue]) => queue.waitUntilReady()));
    } catch (error) {
      for (const [, queue] of queues) void queue.close().catch(parts.trouble);
      throw error;
    }
    return new BullQueues(new Map(queues), parts);
  }

  /** Rejects when the server has not answered in time. */
  async add(jobs: readonly QueuedJob[]): Promise<void> {
    const [first] = jobs;
    if (first === undefined) return;
    const others = jobs.filter(({ queue }) => queue !== first.queue);
    if (others.length === 0) return this.addTo(first.queue, jobs);
    await this.addTo(
      first.queue,
      jobs.filter(({ queue }) => queue === first.queue),
    );
    await this.add(others);
  }

  async state(taskId: string): Promise<JobState | null> {
    for (const queue of this.queuesOf(taskId)) {
      // In this order: a job that ends in between is shown as it was, not as ended without a result.
      const list = await queue.getJobState(taskId);
      const job = list === 'unknown' ? undefined : await queue.getJob(taskId);
      if (job !== undefined) return stateOf(job, list);
    }
    return null;
  }

  /** Resolves when the end of that job, if it lies ahead, will be heard of. */
  async listen(taskId: string): Promise<void> {
    const own = queueOf(taskId);
    const names = own !== null && this.queues.has(own) ? [own] : [...this.queues.keys()];
    await Promise.all(names.map((name) => this.listenTo(name)));
  }

  /** Every queue with its events. */
  async listenToAll(listen: (name: string, queue: AnyQueue, events: AnyEvents) => void): Promise<void> {
    const heard = await Promise.all([...this.queues.keys()].map((name) => this.listenTo(name)));
    [...this.queues].forEach(([name, queue], index) => listen(name, queue, heard[index] as AnyEvents));
  }

  async pendingCount(): Promise<number> {
    const counts = await Promise.all(
      [...this.queues.values()].map((queue) => queue.getJobCounts(...PENDING)),
    );
    return counts.flatMap((count) => Object.values(count)).reduce((sum, count) => sum + count, 0);
  }

  async close(): Promise<void> {
    const listening = await Promise.allSettled(this.events.values());
    await Promise.allSettled([
      ...listening.map((events) => (events.status === 'fulfilled' ? events.value.close() : null)),
      ...[...this.queues.values()].map((queue) => queue.close()),
    ]);
  }

  private addTo(name: string, jobs: readonly QueuedJob[]): Promise<void> {
    if (!this.parts.server.ordered) return (this.adds.get(name) as OrderedAdds).add(jobs);
    return this.sluice.run(() => addJobs(this.get(name), jobs));
  }

  private get(name: string): AnyQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new Error(`There is no queue '${name}'`);
    return queue;
  }

  private listenTo(name: string): Promise<AnyEvents> {
    let listening = this.events.get(name);
    if (listening === undefined) {
      listening = this.openEvents(name);
      this.events.set(name, listening);
      listening.catch(() => this.events.delete(name));
    }
    return listening;
  }

  private async openEvents(name: string): Promise<AnyEvents> {
    const { server, trouble, ended } = this.parts;
    const events = server.events(name);
    events.on('error', trouble);
    events.on('completed', ({ jobId }) => ended(jobId));
    events.on('failed', ({ jobId }) => ended(jobId));
    await events.waitUntilReady().catch((error: unknown) => {
      void events.close().catch(trouble);
      throw error;
    });
    return events;
  }

  /** A chosen id says nothing of its queue, and may even look as if it did. */
  private queuesOf(taskId: string): AnyQueue[] {
    const all = [...this.queues.values()];
    const own = this.queues.get(queueOf(taskId) ?? '');
    return own === undefined ? all : [own, ...all.filter((queue) => queue !== own)];
  }
}
