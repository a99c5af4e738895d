import type { Attempt } from '../../../job/job.js';
import type { BullRun } from './bull-run.js';
import { EarlyCancellations } from './early-cancellations.js';
import { atMost } from '../server/io-time.js';
import { QueueWorker, type QueueWorkerParts } from './queue-worker.js';

/** The longest that closing waits for a server. */
const CLOSE_MS = 1_000;

/** This process's workers, one for each queue. */
export class QueueWorkers {
  private constructor(
    private readonly workers: readonly QueueWorker[],
    private readonly early: EarlyCancellations | null,
  ) {}

  static readonly none = new QueueWorkers([], null);

  /** Rejects, and leaves nothing behind, if the server is out of reach. */
  static async open(parts: Omit<QueueWorkerParts, 'early'>): Promise<QueueWorkers> {
    const early = new EarlyCancellations();
    const workers = parts.host.queues.map((queue) => new QueueWorker(queue, { ...parts, early }));
    try {
      await Promise.all(workers.map((worker) => worker.ready()));
      return new QueueWorkers(workers, early);
    } catch (error) {
      for (const worker of workers) void atMost(CLOSE_MS, worker.close(true));
      throw error;
    }
  }

  start(): void {
    for (const worker of this.workers) worker.start();
  }

  /** Attempts that run, or whose outcome is not stored yet. */
  get size(): number {
    return this.workers.reduce((sum, worker) => sum + worker.size, 0);
  }

  get running(): BullRun[] {
    return this.workers.flatMap((worker) => [...worker.running]);
  }

  /** The run that an attempt is of, unless that is over. */
  runOf(attempt: Attempt): BullRun | undefined {
    for (const worker of this.workers) {
      const run = worker.find(attempt.taskId);
      if (run?.attempt === attempt) return run;
    }
    return undefined;
  }

  /** Whether the end of that job is about to be announced here. */
  isTelling(taskId: string): boolean {
    return this.workers.some((worker) => worker.isTelling(taskId));
  }

  cancel(taskId: string, reason: string): void {
    const here = this.workers.map((worker) => worker.cancel(taskId, reason)).includes(true);
    if (!here) this.early?.add(taskId);
  }

  /** To be called now and then, so that what was cancelled on its way here is not remembered for ever. */
  nextRound(): void {
    this.early?.nextRound();
  }

  async pause(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.pause()));
  }

  /** @param force Without the server, which could otherwise be waited for in vain. */
  async close(force: boolean): Promise<void> {
    await atMost(CLOSE_MS, Promise.all(this.workers.map((worker) => worker.close(force))));
  }
}
