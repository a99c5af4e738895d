import type { ConnectedOutbox, OutboxHealth, StuckJob } from '../outbox/connected-outbox.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';

/**
 * The jobs that were submitted in transactions and that the engine does not have yet. All methods reject with a
 * {@link FlowrraConfigError} without `forRoot({ outbox })` and in a CPU thread, with an {@link ExecutorNotRunningError}
 * if Flowrra is not running, and with an {@link OutboxError} if the database does not answer.
 */
export class FlowrraOutbox {
  constructor(private readonly runtime: FlowrraRuntime) {}

  /**
   * The jobs that could not be handed to the engine in several tries, oldest first: at most 10,000. They are not tried
   * again before {@link retry}.
   */
  async stuck(): Promise<StuckJob[]> {
    return this.outbox('stuck()').stuck.list();
  }

  /** Lets relays try a stuck job again. `false` if no stuck job has this id. */
  async retry(taskId: string): Promise<boolean> {
    return this.outbox('retry()').stuck.retry(taskId);
  }

  /** Deletes a stuck job, which never runs. `false` if no stuck job has this id. */
  async remove(taskId: string): Promise<boolean> {
    return this.outbox('remove()').stuck.remove(taskId);
  }

  /**
   * Hands all committed jobs to the engine, without waiting for the relay. Returns the number that this process has
   * handed on.
   *
   * @throws {EngineError} if the engine does not answer. The jobs stay in the outbox.
   */
  async relay(): Promise<number> {
    return this.outbox('relay()').relay();
  }

  /** The age of the oldest waiting job, and the number of stuck ones. */
  async health(): Promise<OutboxHealth> {
    return this.outbox('health()').health();
  }

  private outbox(method: string): ConnectedOutbox {
    return this.runtime.parts.outbox.require(`outbox.${method}`);
  }
}
