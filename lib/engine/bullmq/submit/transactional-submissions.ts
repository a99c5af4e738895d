import { FlowrraConfigError } from '../../../job/errors.js';
import type { NewJob } from '../../../job/job.js';
import type { SqlConnection } from '../../sql-connection.js';
import type { TransactionalSubmit } from '../../transactional-submit.js';
import type { BullMqParts } from '../bullmq-parts.js';
import type { QueuedJob } from '../job-mapping.js';
import type { TransactionalAdds } from '../server/bull-server.js';
import { recordOf } from '../server/bullmq-internals.js';
import type { QueuedJobs } from './queued-jobs.js';

/** Submissions in transactions of the application, with the same content as those of the engine itself. */
export class TransactionalSubmissions implements TransactionalSubmit {
  readonly dialect = 'postgres';

  constructor(
    private readonly parts: BullMqParts,
    private readonly queued: QueuedJobs,
    private readonly adds: TransactionalAdds,
  ) {}

  isSameDatabase(connection: SqlConnection): Promise<boolean> {
    return this.adds.isSameDatabase(connection);
  }

  async submit(connection: SqlConnection, jobs: readonly NewJob[]): Promise<string[]> {
    const { queues, host } = this.parts;
    for (const job of jobs) rejectDedupe(job);
    const now = host.clock.now();
    const byQueue = new Map<string, QueuedJob[]>();
    const taskIds = jobs.map((job) => {
      const queued = this.queued.of(job, now);
      const others = byQueue.get(job.queue);
      if (others === undefined) byQueue.set(job.queue, [queued]);
      else others.push(queued);
      return queued.options.jobId;
    });
    for (const [name, group] of byQueue) {
      await this.freeDropped(name, group);
      const queue = queues.get(name);
      await this.adds.add(
        connection,
        group.map((job) => recordOf(queue, job)),
      );
    }
    return taskIds;
  }

  /**
   * A chosen id is free again if its job's result counts as dropped, though BullMQ may still keep it. This is right also
   * if the transaction is rolled back, so it is no part of the transaction.
   */
  private async freeDropped(name: string, group: readonly QueuedJob[]): Promise<void> {
    const { reads, queues, jobs } = this.parts;
    const until = queues.droppedUntil;
    const chosen = group.filter(({ options }) => options.submission !== undefined);
    if (chosen.length === 0 || until === -Infinity) return;
    const taskIds = chosen.map(({ options }) => options.jobId);
    await reads.run(() => jobs.dropFinished(name, taskIds, until));
  }
}

function rejectDedupe({ taskName, dedupe }: NewJob): void {
  if (dedupe === undefined) return;
  throw new FlowrraConfigError(
    `dedupe: a job of '${taskName}' with a dedupe key cannot be added in your transaction. The lock of its key would be held until the commit, and all other submissions with the key, and the end of the job that has it, would wait. Submit it after the commit, choose a taskId instead, or leave out outbox({ direct: true }).`,
  );
}
