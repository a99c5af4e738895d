import type { FlowrraRuntime } from './flowrra.runtime.js';
import { suggest, wrong } from '../job/check.js';
import type { ResolvedQueue } from '../job/queue.js';

/** What operators do to queues, in all processes at once. */
export class FlowrraQueues {
  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly queues: readonly ResolvedQueue[],
  ) {}

  /** The queues of this application. */
  get names(): readonly string[] {
    return this.queues.map(({ name }) => name);
  }

  /**
   * Starts no more of the queue's jobs until it is resumed, in any process, also after a restart
   * where jobs are kept. What runs goes on, and submissions are still taken.
   *
   * @throws {FlowrraConfigError} for a queue that this application does not have.
   */
  async pause(queue: string): Promise<void> {
    await this.runtime.parts.operations.pause(this.check(queue));
  }

  /** @throws {FlowrraConfigError} for a queue that this application does not have. */
  async resume(queue: string): Promise<void> {
    await this.runtime.parts.operations.resume(this.check(queue));
  }

  /** @throws {FlowrraConfigError} for a queue that this application does not have. */
  async isPaused(queue: string): Promise<boolean> {
    this.check(queue);
    const counts = await this.runtime.parts.operations.counts();
    return counts.some((each) => each.queue === queue && each.paused);
  }

  private check(queue: unknown): string {
    const { names } = this;
    if (typeof queue === 'string' && names.includes(queue)) return queue;
    throw wrong('queue', queue, suggest(queue, names));
  }
}
