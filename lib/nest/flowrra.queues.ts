import type { FlowrraRuntime } from './flowrra.runtime.js';
import { suggest, wrong } from '../job/check.js';
import type { ResolvedQueue } from '../job/queue.js';

/** Pauses and resumes queues, in all processes at once. */
export class FlowrraQueues {
  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly queues: readonly ResolvedQueue[],
  ) {}

  /** The names of this application's queues. */
  get names(): readonly string[] {
    return this.queues.map(({ name }) => name);
  }

  /**
   * Starts no more jobs of the queue, in any process, until {@link resume}. With a durable engine, the queue is still
   * paused after a restart. Running jobs continue, and jobs can be submitted.
   *
   * @throws {FlowrraConfigError} if this application does not have the queue, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async pause(queue: string): Promise<void> {
    await this.runtime.parts.operations.pause(this.check(queue));
  }

  /**
   * Starts jobs of the queue again, in all processes.
   *
   * @throws {FlowrraConfigError} if this application does not have the queue, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
  async resume(queue: string): Promise<void> {
    await this.runtime.parts.operations.resume(this.check(queue));
  }

  /**
   * Whether the queue is paused.
   *
   * @throws {FlowrraConfigError} if this application does not have the queue, and in a CPU thread.
   * @throws {ExecutorNotRunningError} if Flowrra is not running.
   * @throws {EngineError} if the engine cannot be queried.
   */
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
