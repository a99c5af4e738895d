import {
  type BackendFactory,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
} from 'bullmq';
import type { Pool } from 'pg';

/** BullMQ takes a pool for one that leads to the schema 'bullmq', and could not find tables elsewhere. */
class PooledConnection extends PostgresConnection {
  override readonly schema: string;

  constructor(pool: Pool, schema: string) {
    super(pool);
    this.schema = schema;
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
