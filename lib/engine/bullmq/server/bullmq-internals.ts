/**
 * All uses of BullMQ beyond its documented API, except for the layout of its storage, on which the files
 * in `lua/` and `sql/` depend. `test/bullmq/bullmq-internals.spec.ts` fails if one of them changes.
 */
import {
  type BackendFactory,
  Job,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
} from 'bullmq';
import type { Pool } from 'pg';
import type { QueuedJob } from '../job-mapping.js';
import type { AnyJob, AnyQueue, JobRecord } from './bull-server.js';

export type Complete = AnyJob['moveToCompleted'];
export type Fail = AnyJob['moveToFailed'];

/**
 * The end of a key that BullMQ deletes with a job on Redis: a hash of the failed child jobs, which jobs of Flowrra do not
 * have. It names them by fields, and deletes each of them as `<prefix>:<id>` when another program removes the job: a
 * field of Flowrra's must have one colon, and a beginning that no queue has.
 */
export const JOURNAL_KEY = ':failed';

/** A number of attempts, or of dead workers, that BullMQ never reaches: Flowrra decides when a job has failed. */
export const UNLIMITED = 2_000_000_000;

/**
 * An error of storing an outcome. BullMQ takes every other error as the failure of the job; if the code
 * is that of a lost connection, it stores the same outcome again.
 */
export class StoreAgainError extends Error {
  readonly code = 'ECONNREFUSED';
}

/** Replaces the calls by which a worker stores the end of a job. Each replacement gets the original call. */
export function interceptStoring(
  job: AnyJob,
  complete: (original: Complete, ...args: Parameters<Complete>) => ReturnType<Complete>,
  fail: (original: Fail, ...args: Parameters<Fail>) => ReturnType<Fail>,
): void {
  const originalComplete = job.moveToCompleted.bind(job);
  const originalFail = job.moveToFailed.bind(job);
  job.moveToCompleted = (...args) => complete(originalComplete, ...args);
  job.moveToFailed = (...args) => fail(originalFail, ...args);
}

/** Makes BullMQ try a job again after its next failure, with the delay of the worker's `backoffStrategy`. */
export function letRetry(job: AnyJob): void {
  job.opts.attempts = UNLIMITED;
  job.opts.backoff = { type: 'custom' };
}

/** An answer of the server, as BullMQ tells it: the lease of the job has ended. */
export class LeaseEndedError extends Error {
  readonly code = -2;
}

/** Whether the server has answered that the job is gone, or that another worker holds its lease. */
export function isLeaseAnswer(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code < 0;
}

const LEASE_LOST = /could not renew lock|Missing lock|Lock mismatch|is not in the active state/;

/** Whether a worker's error says that a lease has ended. */
export function isLeaseError({ message }: Error): boolean {
  return LEASE_LOST.test(message);
}

/** Whether BullMQ has failed a job because its workers died too often. */
export function isStalledText(failedReason: string): boolean {
  return failedReason.includes('stalled more than');
}

/** A field beside BullMQ's own: the limit was set by Flowrra, and is removed when the option is. */
const LIMITED = 'flowrra.concurrency';

/** Limits the active jobs of a queue, of all workers together; `Infinity` removes a limit that was set here. */
export async function limitConcurrency(queue: AnyQueue, limit: number): Promise<void> {
  const meta = queue.getBackend();
  if (limit !== Infinity) await meta.setQueueMeta({ concurrency: limit, [LIMITED]: limit });
  else if (await meta.hasQueueMetaField(LIMITED)) await meta.removeQueueMetaFields(['concurrency', LIMITED]);
}

/**
 * BullMQ expects the tables of a given pool in the schema 'bullmq', and never removes its listener from
 * the pool, which may outlive many applications.
 */
class PooledConnection extends PostgresConnection {
  override readonly schema: string;
  private readonly removeListeners: () => void;

  constructor(pool: Pool, schema: string) {
    const before = new Set(pool.listeners('error'));
    super(pool);
    this.schema = schema;
    const added = pool.listeners('error').filter((listener) => !before.has(listener));
    this.removeListeners = () =>
      added.forEach((listener) => pool.off('error', listener as (error: Error) => void));
  }

  override async close(): Promise<void> {
    await super.close();
    this.removeListeners();
  }
}

/** Lets BullMQ's queues, workers and listeners share one pool, with the tables in any schema. */
export function pooledBackend(pool: Pool, schema: string): BackendFactory {
  const create: BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> = (
    name,
    options,
    { blocking, withBlockingConnection } = {},
  ) => {
    // BullMQ finds workers and listeners among the server's connections by these names.
    const listener = withBlockingConnection ? name : blocking ? `${name}:qe` : undefined;
    return new PostgresQueueBackend(new PooledConnection(pool, schema), name, options, true, listener);
  };
  // The types of BullMQ's classes name Redis, although they call this interface only.
  return create as unknown as BackendFactory;
}

/** BullMQ checks and completes the options of a job in this class, and the backend reads them from its JSON. */
class Recorded extends Job<unknown, unknown, string> {
  record(queue: string): JobRecord {
    const json = this.asJSON();
    this.validateOptions(json);
    const { id, name, data, timestamp } = json;
    const opts = this.opts;
    const { priority = 0, delay = 0, attempts = 1, lifo = false } = opts;
    return { queue, id, name, data, opts, priority, delay, timestamp, attempts, lifo };
  }
}

/** The record that `queue.add` would send for a job without a dedupe key. */
export function recordOf(queue: AnyQueue, { name, data, options }: QueuedJob): JobRecord {
  const { jobId } = options;
  return new Recorded(queue, name, data, { ...queue.defaultJobOptions, ...options }, jobId).record(
    queue.name,
  );
}
