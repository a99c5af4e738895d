import type { Clock } from '../job/clock.js';
import type { FinishedTaskResult, TaskResult } from '../job/task-result.js';
import { ResultBackend, type WaitOptions } from './result-backend.js';

/** The longest time that a read waits for the engine. */
const WAIT_MS = 5_000;
/** The engine has settled the job of every older result: writing a final result takes about three minutes at most. */
const RECENT_MS = 300_000;

/**
 * A configured backend, as the application reads it. An outcome is stored in the backend before the engine settles
 * the job, and only then can operators retry or remove it. So a final result is returned only after the engine,
 * in any process, has settled the job.
 */
export class SettledResults extends ResultBackend {
  /** @param engine The results that the engine itself keeps. */
  constructor(
    private readonly backend: ResultBackend,
    private readonly engine: ResultBackend,
    private readonly clock: Clock,
  ) {
    super();
  }

  store(taskId: string, result: TaskResult): void | Promise<void> {
    return this.backend.store(taskId, result);
  }

  async get(taskId: string): Promise<TaskResult | null> {
    const result = await this.backend.get(taskId);
    return result === null ? null : this.settled(result, { timeout: WAIT_MS });
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const { timeout = Infinity, signal } = options;
    const end = this.clock.now() + timeout;
    for (;;) {
      const left = Math.max(0, end - this.clock.now());
      const wait = { ...(left !== Infinity && { timeout: left }), ...(signal && { signal }) };
      const result = await this.backend.waitFor(taskId, wait);
      const settled = await this.settled(result, { ...wait, timeout: Math.min(WAIT_MS, left) });
      // Otherwise an operator has retried the job meanwhile.
      if (settled.isComplete) return settled;
    }
  }

  override async close(): Promise<void> {
    await this.backend.close?.();
  }

  /** Returns `result` itself if the engine does not know the job, does not answer, or does not settle it in time. */
  private async settled(result: TaskResult, wait: WaitOptions): Promise<TaskResult> {
    const { taskId, finishedAt } = result;
    if (finishedAt === null || finishedAt.getTime() < this.clock.now() - RECENT_MS) return result;
    try {
      const known = await this.engine.get(taskId);
      if (known === null || known.isComplete) return result;
      await this.engine.waitFor(taskId, wait);
    } catch (error) {
      if (wait.signal?.aborted) throw error;
      return result;
    }
    return (await this.backend.get(taskId)) ?? result;
  }
}
