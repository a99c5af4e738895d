import type { NewJob } from '../../../job/job.js';
import type { BullMqParts } from '../bullmq-parts.js';
import type { QueuedJob } from '../job-mapping.js';
import type { AnyQueue } from '../server/bull-server.js';
import { CallLimiter } from '../server/call-limiter.js';
import { messageOf } from '../server/outage-log.js';
import { OrderedAdds } from './ordered-adds.js';

/** The most concurrent calls if the server executes them in order. */
const MAX_CALLS = 1_000;

/** Adds jobs to queues, with limits for calls, and finds existing jobs in their place. */
export class JobAdds {
  private readonly limiter: CallLimiter;
  /** By queue; empty if the server executes calls in order. */
  private readonly ordered: ReadonlyMap<string, OrderedAdds>;

  constructor(private readonly parts: BullMqParts) {
    const { server, queues, timeout } = parts;
    this.limiter = new CallLimiter(MAX_CALLS, timeout);
    const isRejected = (error: unknown): boolean => server.failureOf(error) === 'rejected';
    this.ordered = new Map(
      (server.ordered ? [] : queues.names).map((name) => [
        name,
        new OrderedAdds((jobs) => this.addTo(name, jobs), timeout, isRejected),
      ]),
    );
  }

  /**
   * Adds jobs of one queue. Returns their ids, or those of existing jobs that hold their keys. Rejects if
   * the server does not answer in time.
   */
  add(jobs: readonly QueuedJob[]): Promise<string[]> {
    const [{ queue }] = jobs as readonly [QueuedJob];
    return this.ordered.get(queue)?.add(jobs) ?? this.limiter.run(() => this.addTo(queue, jobs));
  }

  /** Adds a job, or replaces the content of the delayed job that holds its key. */
  async debounce(job: QueuedJob): Promise<string> {
    const { queue, data, options, tags = [] } = job;
    const by = { data: JSON.stringify(data), delay: options.delay ?? 0, tags };
    for (;;) {
      const holder = await this.limiter.run(() =>
        this.parts.jobs.debounce(queue, options.deduplication?.id as string, by),
      );
      if (holder !== null) return holder;
      // Another process may add a job with that key first.
      const [added] = await this.add([job]);
      if (added === options.jobId) return added;
    }
  }

  /** Whether a submission of this job would find an existing job with its id or key now. */
  async hasExisting({ queue: name, taskId, dedupe }: NewJob): Promise<boolean> {
    if (taskId !== undefined) {
      const job = await this.parts.queues.job(name, taskId);
      return job !== undefined && !this.parts.queues.isDropped(job);
    }
    const queue = this.parts.queues.get(name);
    const holder = dedupe && (await queue.getDeduplicationJobId(dedupe.key));
    if (!holder || dedupe.mode !== 'debounce') return Boolean(holder);
    const [state, job] = [await queue.getJobState(holder), await queue.getJob(holder)];
    return state === 'delayed' && job?.attemptsStarted === 0;
  }

  /** Whether each of these jobs of a queue was added by its submission, not by an earlier one with the same id. */
  async areAdded(queue: string, jobs: readonly QueuedJob[]): Promise<readonly boolean[]> {
    const taskIds = jobs.map(({ options }) => options.jobId);
    // If the connection has broken after the jobs were added, this call may never settle by itself.
    const tokens = await this.parts.timeout.limit(this.parts.jobs.submissions(queue, taskIds));
    // A job that is gone may have been this one.
    return jobs.map(({ options }, n) => tokens[n] === null || tokens[n] === options.submission);
  }

  /** Rejects additions that were not sent. */
  close(): void {
    this.limiter.close();
    for (const adds of this.ordered.values()) adds.close();
  }

  /** A chosen id is free again if its job's result counts as dropped, though BullMQ may still keep it. */
  private addTo(name: string, jobs: readonly QueuedJob[]): Promise<string[]> {
    const queue = this.parts.queues.get(name);
    const until = this.parts.queues.droppedUntil;
    const add = (): Promise<string[]> =>
      jobs.some(isTagged) ? this.addTagged(name, jobs) : addJobs(queue, jobs);
    if (until === -Infinity || !jobs.some(isChosen)) return add();
    const taskIds = jobs.filter(isChosen).map(({ options }) => options.jobId);
    return this.parts.jobs.dropFinished(name, taskIds, until).then(add);
  }

  private async addTagged(name: string, jobs: readonly QueuedJob[]): Promise<string[]> {
    const noted = this.parts.jobs.tags.note(name, jobs);
    const added = addJobs(this.parts.queues.get(name), jobs);
    const [tags, ids] = await Promise.allSettled([noted, added]);
    if (ids.status === 'rejected') throw ids.reason;
    if (tags.status === 'fulfilled') return ids.value;
    // Another class than that of the server's error, which would say that the jobs were not added.
    throw new Error(`the jobs were added, but not their tags: ${messageOf(tags.reason)}`, {
      cause: tags.reason,
    });
  }
}

/**
 * Adds jobs in one call. Returns their ids, or those of existing jobs in their place. For a single job, BullMQ's
 * `addBulk` is slower than `add`.
 */
export async function addJobs(queue: AnyQueue, jobs: readonly QueuedJob[]): Promise<string[]> {
  const [only] = jobs;
  if (only !== undefined && jobs.length === 1) {
    const { id } = await queue.add(only.name, only.data, only.options);
    return [id as string];
  }
  const added = await queue.addBulk(jobs.map(({ name, data, options }) => ({ name, data, opts: options })));
  return added.map(({ id }) => id as string);
}

function isTagged({ tags }: QueuedJob): boolean {
  return tags !== undefined;
}

function isChosen({ options }: QueuedJob): boolean {
  return options.submission !== undefined;
}
