import { EngineError, ExecutorNotRunningError, SubmitUncertainError } from '../../../job/errors.js';
import { type Accepted, Duplicate, isPlain, type NewJob } from '../../../job/job.js';
import type { BullMqParts } from '../bullmq-parts.js';
import type { QueuedJob } from '../job-mapping.js';
import { NotSentError } from '../server/call-limiter.js';
import { isOutage, messageOf, withoutCommand } from '../server/outage-log.js';
import type { JobAdds } from './job-adds.js';
import type { QueuedJobs } from './queued-jobs.js';

/** A job, the job for BullMQ, and its index in the submission. */
interface Entry {
  readonly index: number;
  readonly job: NewJob;
  readonly queued: QueuedJob;
}

/** Sends submissions to the server, and states the effect of those that fail. */
export class Submissions {
  private running = 0;
  private idle: (() => void) | null = null;

  constructor(
    private readonly parts: BullMqParts,
    private readonly adds: JobAdds,
    private readonly queued: QueuedJobs,
  ) {}

  /**
   * Resolves when the server has the jobs.
   *
   * @throws {EngineError} if the server has none of them, {@link SubmitUncertainError} if that is unknown,
   * {@link ExecutorNotRunningError} if the engine was closed before they were sent.
   */
  async insert(jobs: readonly NewJob[]): Promise<Accepted[]> {
    const entries = this.entriesOf(jobs);
    const taskIds = entries.map(({ queued }) => queued.options.jobId);
    this.parts.fleet?.submitting(taskIds);
    const accepted: Accepted[] = taskIds;
    const progress = { anyAdded: false };
    this.running++;
    try {
      for (const batch of batchesOf(entries)) {
        const answers = await this.add(batch, progress);
        batch.forEach(({ index }, n) => (accepted[index] = answers[n] as Accepted));
      }
      return accepted;
    } catch (cause) {
      throw this.errorOf(cause, entries, progress.anyAdded);
    } finally {
      this.ended();
    }
  }

  /** A shorter {@link insert} for most submissions: one job of which no existing job can take the place. */
  async insertPlain(job: NewJob): Promise<Accepted> {
    const queued = this.queued.of(job, this.parts.host.clock.now());
    const { jobId } = queued.options;
    this.parts.fleet?.submitting([jobId]);
    this.running++;
    try {
      await this.adds.add([queued]);
      return jobId;
    } catch (cause) {
      throw this.errorOf(cause, [{ index: 0, job, queued }], false);
    } finally {
      this.ended();
    }
  }

  /** Rejects submissions that were not sent. Resolves when all others have their answers. */
  close(): Promise<void> {
    this.adds.close();
    return new Promise((resolve) => {
      this.idle = resolve;
      if (this.running === 0) resolve();
    });
  }

  private ended(): void {
    this.running--;
    if (this.running === 0) this.idle?.();
  }

  /**
   * @param batch Jobs of one queue; or a single debounced job.
   * @param progress Told of the addition, which counts even if a look-up after it fails.
   */
  private async add(batch: readonly Entry[], progress: { anyAdded: boolean }): Promise<Accepted[]> {
    const [{ job, queued }] = batch as readonly [Entry];
    const ids = isDebounced(job)
      ? [await this.adds.debounce(queued)]
      : await this.adds.add(batch.map((entry) => entry.queued));
    progress.anyAdded = true;
    if (batch.every((entry) => isPlain(entry.job))) return ids;
    const answers = batch.map(({ queued }, n): Accepted => {
      const id = ids[n] as string;
      return id === queued.options.jobId ? id : new Duplicate(id);
    });
    // BullMQ returns a chosen id also if a job with that id existed.
    const chosen = [...batch.keys()].filter(
      (n) => batch[n]?.job.taskId !== undefined && !(answers[n] instanceof Duplicate),
    );
    if (chosen.length === 0) return answers;
    const areAdded = await this.adds.areAdded(
      queued.queue,
      chosen.map((n) => (batch[n] as Entry).queued),
    );
    for (const [index, n] of chosen.entries())
      if (areAdded[index] !== true) answers[n] = new Duplicate(ids[n] as string);
    return answers;
  }

  private errorOf(error: unknown, entries: readonly Entry[], anyAdded: boolean): Error {
    const { server, outages } = this.parts;
    const { name } = server;
    const cause = withoutCommand(error);
    if (!anyAdded && cause instanceof ExecutorNotRunningError) return cause;
    if (isOutage(server, cause)) outages.report(cause);
    const failure = cause instanceof NotSentError ? 'not sent' : server.failureOf(cause);
    if (!anyAdded && failure === 'not sent')
      return new EngineError(`${name} is unreachable: ${messageOf(cause)}`, { cause });
    // In a pipeline, jobs before the rejected one may have been added.
    if (!anyAdded && failure === 'rejected' && (entries.length === 1 || !server.ordered))
      return new EngineError(`${name} has rejected the submission: ${messageOf(cause)}`, { cause });
    const taskIds = entries.map(({ queued }) => queued.options.jobId);
    return new SubmitUncertainError(taskIds, `${name}: ${messageOf(cause)}.`, { cause });
  }

  private entriesOf(jobs: readonly NewJob[]): Entry[] {
    const now = this.parts.host.clock.now();
    return jobs.map((job, index) => ({ index, job, queued: this.queued.of(job, now) }));
  }
}

function isDebounced({ dedupe }: NewJob): boolean {
  return dedupe?.mode === 'debounce';
}

/** The entries of each call to the server. */
function batchesOf(entries: readonly Entry[]): Iterable<readonly Entry[]> {
  const batches = new Map<string | Entry, Entry[]>();
  for (const entry of entries) {
    const key = isDebounced(entry.job) ? entry : entry.job.queue;
    const batch = batches.get(key);
    if (batch === undefined) batches.set(key, [entry]);
    else batch.push(entry);
  }
  return batches.values();
}
