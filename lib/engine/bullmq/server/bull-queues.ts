import type { JobType } from 'bullmq';
import type { JobState, NewJob } from '../../../job/job.js';
import type { AnyEvents, AnyQueue, BullServer } from './bull-server.js';
import type { Patience } from './io-time.js';
import { queueOf } from '../id-generator.js';
import type { BullJob } from '../job-mapping.js';
import { stateOf } from '../read/job-view.js';
import { isMalformed } from '../malformed-job.js';
import { OrderedAdds } from '../submit/ordered-adds.js';
import { addJobs, type QueuedJob } from '../queued-job.js';
import type { ServerJobs } from './server-jobs.js';
import { Sluice } from './call-limiter.js';

export interface BullQueuesParts {
  readonly server: BullServer;
  readonly jobs: ServerJobs;
  /** How long an addition is waited for. */
  readonly patience: Patience;
  /** The results of jobs that finished then or before count as dropped, though the server may still hold them. */
  expired(): number;
  trouble(error: Error): void;
  /** A job has ended, in any process, in a queue that is listened to. */
  ended(taskId: string): void;
}

/** `opts` are missing where BullMQ could not read the job. */
type StoredJob = BullJob & { readonly opts?: object };

/** A job, and where it was found. */
export interface FoundJob {
  readonly queue: string;
  /** BullMQ's word for its state. */
  readonly list: string;
  readonly job: StoredJob;
}

/** Additions under way at a time, where they go through one connection. */
const MOST_ADDS = 1_000;

/** PostgreSQL calls those that wait in a paused queue `paused`; Redis calls them `waiting`. */
export const PENDING = ['waiting', 'paused', 'prioritized', 'delayed', 'waiting-children'] as JobType[];

/** The application's queues, and what is asked of them. */
export class BullQueues {
  private readonly adds: ReadonlyMap<string, OrderedAdds>;
  private readonly sluice: Sluice;
  private readonly events = new Map<string, Promise<AnyEvents>>();
  /** Those of which the events come in. */
  private readonly heard = new Set<string>();

  private constructor(
    private readonly queues: ReadonlyMap<string, AnyQueue>,
    private readonly parts: BullQueuesParts,
  ) {
    const { server, patience } = parts;
    this.sluice = new Sluice(MOST_ADDS, patience);
    const isRefused = (error: unknown): boolean => server.refusalOf(error) === 'refused';
    this.adds = new Map(
      [...queues].map(([name, queue]) => [
        name,
        new OrderedAdds((jobs) => this.addTo(queue, name, jobs), patience, isRefused),
      ]),
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

  /** Sends no more additions: those that have not been sent are refused. */
  stopAdding(): void {
    this.sluice.close();
    for (const adds of this.adds.values()) adds.close();
  }

  get names(): readonly string[] {
    return [...this.queues.keys()];
  }

  /**
   * Adds jobs of one queue, and returns the ids of those that stand for them, which are others' where
   * their keys are taken. Rejects when the server has not answered in time.
   */
  add(jobs: readonly QueuedJob[]): Promise<string[]> {
    const [{ queue }] = jobs as readonly [QueuedJob];
    if (!this.parts.server.ordered) return (this.adds.get(queue) as OrderedAdds).add(jobs);
    return this.sluice.run(() => this.addTo(this.get(queue), queue, jobs));
  }

  /** Adds a job, or lets its content take the place of that of the one that stands for its key. */
  async debounce(job: QueuedJob): Promise<string> {
    const { queue, data, options } = job;
    const by = { data: JSON.stringify(data), delay: options.delay ?? 0 };
    for (;;) {
      const standing = await this.sluice.run(() =>
        this.parts.jobs.debounce(queue, options.deduplication?.id as string, by),
      );
      if (standing !== null) return standing;
      // Somebody else may be first, with another content.
      const [added] = await this.add([job]);
      if (added === options.jobId) return added;
    }
  }

  /** Whether another job stands in the place of this one, by its id or its key, at this moment. */
  async hasStandIn({ queue: name, taskId, dedupe }: NewJob): Promise<boolean> {
    const queue = this.get(name);
    if (taskId !== undefined) {
      const job = await this.job(name, taskId);
      return job !== undefined && !this.isExpired(job);
    }
    const standing = dedupe && (await queue.getDeduplicationJobId(dedupe.key));
    if (!standing || dedupe.mode !== 'debounce') return Boolean(standing);
    const [state, job] = [await queue.getJobState(standing), await queue.getJob(standing)];
    return state === 'delayed' && job?.attemptsStarted === 0;
  }

  /** Whether the job of that id is the one of that submission. */
  async isOf(queue: string, taskId: string, submission: string | undefined): Promise<boolean> {
    // A connection that breaks after the answer to the addition may never answer this.
    const job = await this.parts.patience.with(this.job(queue, taskId));
    // One that has come and gone meanwhile was as likely this one as any.
    return job === undefined || Reflect.get(job.opts ?? {}, 'submission') === submission;
  }

  async find(taskId: string): Promise<FoundJob | null> {
    for (const queue of this.queuesOf(taskId)) {
      const found = await this.look(queue, taskId);
      // Its id may be another job's by now, in a further queue.
      if (found !== null && !this.isExpired(found.job)) return found;
    }
    return null;
  }

  async state(taskId: string): Promise<{ queue: string; state: JobState } | null> {
    const found = await this.find(taskId);
    return found === null ? null : { queue: found.queue, state: stateOf(found.job, found.list) };
  }

  /** @param list Where it was seen last. */
  async look(queue: string, taskId: string, list?: string): Promise<FoundJob | null> {
    const bull = this.get(queue);
    const [at, job] = await Promise.all([list ?? bull.getJobState(taskId), this.job(queue, taskId)]);
    if (job === undefined) return null;
    if (hasEnded(at) === (job.finishedOn !== undefined)) return foundAt(queue, at, job);
    // It has moved in between. In this order it is shown as it was, and never as ended without a result.
    const before = await bull.getJobState(taskId);
    return foundAt(queue, before, await this.job(queue, taskId));
  }

  /** Resolves when the end of any job of that queue, if it lies ahead, will be heard of. */
  listenTo(name: string): Promise<AnyEvents> {
    let listening = this.events.get(name);
    if (listening === undefined) {
      listening = this.openEvents(name);
      this.events.set(name, listening);
      listening.catch(() => this.events.delete(name));
    }
    return listening;
  }

  /** Whether it will. */
  listens(name: string): boolean {
    return this.heard.has(name);
  }

  /** Every queue with its events. */
  async listenToAll(listen: (name: string, queue: AnyQueue, events: AnyEvents) => void): Promise<void> {
    const heard = await Promise.all(this.names.map((name) => this.listenTo(name)));
    [...this.queues].forEach(([name, queue], index) => listen(name, queue, heard[index] as AnyEvents));
  }

  async pendingCount(): Promise<number> {
    const all = [...this.queues.values()];
    const counts = await Promise.all(all.map((queue) => queue.getJobCountByTypes(...PENDING)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async close(): Promise<void> {
    const listening = await Promise.allSettled(this.events.values());
    await Promise.allSettled([
      ...listening.map((events) => (events.status === 'fulfilled' ? events.value.close() : null)),
      ...[...this.queues.values()].map((queue) => queue.close()),
    ]);
  }

  /** @throws {Error} if the application has none of that name. */
  get(name: string): AnyQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new Error(`There is no queue '${name}'`);
    return queue;
  }

  /** Where BullMQ still holds a job whose result counts as dropped, its id is free for one that was given it. */
  private addTo(queue: AnyQueue, name: string, jobs: readonly QueuedJob[]): Promise<string[]> {
    const until = this.parts.expired();
    if (until === -Infinity || !jobs.some(isChosen)) return addJobs(queue, jobs);
    const taskIds = jobs.filter(isChosen).map(({ options }) => options.jobId);
    return this.parts.jobs.dropFinished(name, taskIds, until).then(() => addJobs(queue, jobs));
  }

  /** As BullMQ reads it; what can be read of one that it cannot read, so that this one breaks no list. */
  private async job(queue: string, taskId: string): Promise<StoredJob | undefined> {
    try {
      return await this.get(queue).getJob(taskId);
    } catch (error) {
      if (!isMalformed(error)) throw error;
      return (await this.parts.jobs.salvage({ queue, taskId })) ?? undefined;
    }
  }

  private isExpired({ finishedOn = Infinity }: StoredJob): boolean {
    return finishedOn <= this.parts.expired();
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
    this.heard.add(name);
    return events;
  }

  /** A chosen id says nothing of its queue, and may even look as if it did. */
  private queuesOf(taskId: string): readonly string[] {
    const own = queueOf(taskId);
    if (own === null || !this.queues.has(own)) return this.names;
    return [own, ...this.names.filter((queue) => queue !== own)];
  }
}

function isChosen({ options }: QueuedJob): boolean {
  return options.submission !== undefined;
}

function hasEnded(list: string): boolean {
  return list === 'completed' || list === 'failed';
}

function foundAt(queue: string, list: string, job: StoredJob | undefined): FoundJob | null {
  return job === undefined || list === 'unknown' ? null : { queue, list, job };
}
