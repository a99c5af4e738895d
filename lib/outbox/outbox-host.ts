import type { Capability, ConnectedEngine } from '../engine/engine.js';
import type { Clock } from '../job/clock.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import type { BackPressure, Retention } from '../job/queue.js';
import type { IdentifiedJob } from './outbox-job.js';

/** Settings and services for an outbox. */
export interface OutboxHost {
  readonly engine: ConnectedEngine;
  readonly supports: ReadonlySet<Capability>;
  readonly clock: Clock;
  readonly codec: PayloadCodec;
  readonly retention: Retention;
  readonly backPressure: BackPressure;
  /** Whether this is a CPU thread, which only submits. */
  readonly isThread: boolean;
  /** Hands jobs to the engine and tells of them. Returns the ids of the jobs that stand for them. */
  submit(jobs: readonly IdentifiedJob[]): Promise<readonly string[]>;
  /** Cancels a job in the engine, records that, and tells of it. */
  cancel(taskId: string, reason: string): Promise<unknown>;
}
