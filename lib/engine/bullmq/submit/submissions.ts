import { randomBytes } from 'node:crypto';
import { EngineError, ExecutorNotRunningError, SubmitUncertainError } from '../../../job/errors.js';
import { type Accepted, Duplicate, isPlain, type NewJob } from '../../../job/job.js';
import { type EngineHost } from '../../engine.js';
import type { BullQueues } from '../server/bull-queues.js';
import type { BullServer } from '../server/bull-server.js';
import type { FleetEvents } from '../read/fleet-events.js';
import { IdMint } from '../id-generator.js';
import { dataOf, type Kept, keptFor, optionsOf } from '../job-mapping.js';
import type { QueuedJob } from '../queued-job.js';
import { NotSentError } from '../server/call-limiter.js';
import { discreet, isOutage, messageOf, type Trouble } from '../server/outage-log.js';

const SUBMISSION_BYTES = 9;

/** A job in its queued form, and where it stands among those of its submission. */
interface Entry {
  readonly index: number;
  readonly job: NewJob;
  readonly queued: QueuedJob;
}

/** Takes submissions to the server, and says what became of them if it does not answer. */
export class Intake {
  private readonly ids = new IdMint();
  private readonly keep: Kept;
  private underWay = 0;
  private quiet: (() => void) | null = null;

  constructor(
    private readonly host: EngineHost,
    private readonly server: BullServer,
    private readonly queues: BullQueues,
    private readonly fleet: FleetEvents | null,
    private readonly trouble: Trouble,
  ) {
    this.keep = keptFor(host.retention);
  }

  /**
   * Resolves, with what became of the jobs in their order, when the server has them.
   *
   * @throws {EngineError} if it certainly has none of them, {@link SubmitUncertainError} if only the server knows,
   * {@link ExecutorNotRunningError} if it was closed before they were sent.
   */
  async insert(jobs: readonly NewJob[]): Promise<Accepted[]> {
    const entries = this.entriesOf(jobs);
    const taskIds = entries.map(({ queued }) => queued.options.jobId);
    this.fleet?.submitting(taskIds);
    const accepted: Accepted[] = taskIds;
    let taken = false;
    this.underWay++;
    try {
      for (const batch of batchesOf(entries)) {
        const standing = await this.take(batch);
        taken = true;
        batch.forEach(({ index }, n) => (accepted[index] = standing[n] as Accepted));
      }
      return accepted;
    } catch (cause) {
      throw this.refusal(cause, entries, taken);
    } finally {
      this.left();
    }
  }

  /** {@link insert} in short, for most submissions: a single job in whose place nothing can stand. */
  async insertPlain(job: NewJob): Promise<Accepted> {
    const entry = this.entryOf(job, 0, this.host.clock.now());
    const { jobId } = entry.queued.options;
    this.fleet?.submitting([jobId]);
    this.underWay++;
    try {
      await this.queues.add([entry.queued]);
      return jobId;
    } catch (cause) {
      throw this.refusal(cause, [entry], false);
    } finally {
      this.left();
    }
  }

  /** Sends no more, and resolves when all that was sent has had its answer. */
  close(): Promise<void> {
    this.queues.stopAdding();
    return new Promise((resolve) => {
      this.quiet = resolve;
      if (this.underWay === 0) resolve();
    });
  }

  private left(): void {
    this.underWay--;
    if (this.underWay === 0) this.quiet?.();
  }

  /** All of one queue; one that is debounced comes alone. */
  private async take(batch: readonly Entry[]): Promise<Accepted[]> {
    const [{ job, queued }] = batch as readonly [Entry];
    const ids = isDebounced(job)
      ? [await this.queues.debounce(queued)]
      : await this.queues.add(batch.map((entry) => entry.queued));
    if (batch.every((entry) => isPlain(entry.job))) return ids;
    const standing = batch.map(async ({ job, queued: { queue, options } }, n) => {
      const id = ids[n] as string;
      if (id !== options.jobId) return new Duplicate(id);
      // BullMQ does not say whether there was one of a chosen id.
      if (job.taskId === undefined) return id;
      return (await this.queues.isOf(queue, id, options.submission)) ? id : new Duplicate(id);
    });
    return Promise.all(standing);
  }

  private refusal(error: unknown, entries: readonly Entry[], taken: boolean): Error {
    const cause = discreet(error);
    if (!taken && cause instanceof ExecutorNotRunningError) return cause;
    if (isOutage(this.server, cause)) this.trouble.report(cause);
    const { name } = this.server;
    const refusal = cause instanceof NotSentError ? 'not sent' : this.server.refusalOf(cause);
    if (!taken && refusal === 'not sent')
      return new EngineError(`${name} is out of reach: ${messageOf(cause)}`, { cause });
    // Of several, those before the one that was refused may have been taken.
    if (!taken && refusal === 'refused' && (entries.length === 1 || !this.server.ordered))
      return new EngineError(`${name} has refused it: ${messageOf(cause)}`, { cause });
    const taskIds = entries.map(({ queued }) => queued.options.jobId);
    return new SubmitUncertainError(taskIds, `${name}: ${messageOf(cause)}.`, { cause });
  }

  private entriesOf(jobs: readonly NewJob[]): Entry[] {
    const now = this.host.clock.now();
    return jobs.map((job, index) => this.entryOf(job, index, now));
  }

  private entryOf(job: NewJob, index: number, now: number): Entry {
    const { queue, taskName: name } = job;
    const taskId = job.taskId ?? this.ids.mint(queue, now);
    const options = optionsOf(job, taskId, now, this.keep);
    const chosen = job.taskId === undefined ? options : { ...options, submission: submission() };
    return { index, job, queued: { queue, name, data: dataOf(job), options: chosen } };
  }
}

function isDebounced({ dedupe }: NewJob): boolean {
  return dedupe?.mode === 'debounce';
}

/** What goes to the server in one call each. */
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

function submission(): string {
  return randomBytes(SUBMISSION_BYTES).toString('base64url');
}
