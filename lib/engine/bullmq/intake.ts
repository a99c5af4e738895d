import { EngineError, SubmitUncertainError } from '../../core/errors.js';
import type { EngineHost, NewJob } from '../engine.interface.js';
import type { BullQueues } from './bull-queues.js';
import type { BullServer } from './bull-server.interface.js';
import type { FleetEvents } from './fleet-events.js';
import { dataOf, IdMint, type Kept, keptFor, optionsOf } from './job-mapping.js';
import type { QueuedJob } from './queued-job.js';
import { NotSentError } from './sluice.js';
import { discreet, isOutage, messageOf, type Trouble } from './trouble.js';

/** Takes submissions to the server, and says what became of them if it does not answer. */
export class Intake {
  private readonly ids = new IdMint();
  private readonly keep: Kept;

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
   * Resolves, with the ids in the order of the jobs, when the server has them.
   *
   * @throws {EngineError} if it certainly has none of them, {@link SubmitUncertainError} if only the server knows.
   */
  async insert(jobs: readonly NewJob[]): Promise<string[]> {
    const queued = this.queuedForm(jobs);
    const taskIds = queued.map(({ options }) => options.jobId);
    this.fleet?.submitting(taskIds);
    try {
      await this.queues.add(queued);
      return taskIds;
    } catch (cause) {
      throw this.refusal(cause, taskIds);
    }
  }

  private refusal(error: unknown, taskIds: readonly string[]): Error {
    const cause = discreet(error);
    if (isOutage(this.server, cause)) this.trouble.report(cause);
    const { name } = this.server;
    const refusal = cause instanceof NotSentError ? 'not sent' : this.server.refusalOf(cause);
    if (refusal === 'not sent')
      return new EngineError(`${name} is out of reach: ${messageOf(cause)}`, { cause });
    // Of several, those before the one that was refused may have been taken.
    if (refusal === 'refused' && (taskIds.length === 1 || !this.server.ordered))
      return new EngineError(`${name} has refused it: ${messageOf(cause)}`, { cause });
    return new SubmitUncertainError(taskIds, `${name}: ${messageOf(cause)}.`, { cause });
  }

  private queuedForm(jobs: readonly NewJob[]): QueuedJob[] {
    const now = this.host.clock.now();
    return jobs.map((job) => {
      const taskId = job.taskId ?? this.ids.mint(job.queue, now);
      const options = optionsOf(job, taskId, now, this.keep);
      return { queue: job.queue, name: job.taskName, data: dataOf(job), options };
    });
  }
}
