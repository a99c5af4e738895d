import {
  type BackendFactory,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
} from 'bullmq';
import type { Pool } from 'pg';

/**
 * BullMQ takes a pool for one that leads to the schema 'bullmq', and could not find tables elsewhere.
 * And it leaves its listener with a pool, which may outlive many applications.
 */
class PooledConnection extends PostgresConnection {
  override readonly schema: string;
  private readonly forget: () => void;

  constructor(pool: Pool, schema: string) {
    const before = new Set(pool.listeners('error'));
    super(pool);
    this.schema = schema;
    const own = pool.listeners('error').filter((listener) => !before.has(listener));
    this.forget = () => own.forEach((listener) => pool.off('error', listener as (error: Error) => void));
  }

  override async close(): Promise<void> {
    await super.close();
    this.forget();
  }
}

/** Makes BullMQ's queues, workers and listeners share one pool, whatever the schema. */
export function pooledBackend(pool: Pool, schema: string): BackendFactory {
  const make: BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> = (
    name,
    options,
    { blocking, withBlockingConnection } = {},
  ) => {
    // The names by which BullMQ finds workers and listeners among the server's connections.
    const listener = withBlockingConnection ? name : blocking ? `${name}:qe` : undefined;
    return new PostgresQueueBackend(new PooledConnection(pool, schema), name, options, true, listener);
  };
  // The types of BullMQ's classes name Redis; what they call is the same.
  return make as unknown as BackendFactory;
}
