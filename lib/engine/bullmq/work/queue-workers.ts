import type { ResolvedQueue } from '../../../job/queue.js';
import type { BullQueues } from '../server/bull-queues.js';
import { limitConcurrency } from '../server/bullmq-internals.js';
import { untilClosed } from '../server/shared-timeout.js';
import { QueueWorker, type WorkParts } from './queue-worker.js';

/** This process's workers, one for each queue. */
export class QueueWorkers {
  private constructor(private readonly workers: readonly QueueWorker[]) {}

  static readonly none = new QueueWorkers([]);

  /** Connects the workers. Rejects, and leaves nothing behind, if the server is unreachable. */
  static async open(parts: WorkParts): Promise<QueueWorkers> {
    const workers = parts.host.queues.map((queue) => new QueueWorker(queue, parts));
    try {
      await Promise.all(workers.map((worker) => worker.ready()));
      return new QueueWorkers(workers);
    } catch (error) {
      for (const worker of workers) void untilClosed(worker.close(true));
      throw error;
    }
  }

  start(): void {
    for (const worker of this.workers) worker.start();
  }

  async pause(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.pause()));
  }

  /** @param force Whether to close without the server, for which BullMQ might wait without limit. */
  async close(force: boolean): Promise<void> {
    await untilClosed(Promise.all(this.workers.map((worker) => worker.close(force))));
  }
}

/** Applies `fleetConcurrency`. Of several processes with different options, the one started last decides. */
export async function limitFleet(queues: BullQueues, options: readonly ResolvedQueue[]): Promise<void> {
  await Promise.all(
    options.map(({ name, fleetConcurrency }) => limitConcurrency(queues.get(name), fleetConcurrency)),
  );
}
