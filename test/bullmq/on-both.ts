import { createPostgresBackend, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';

/** A server, with its queues as another program that uses BullMQ sees them. */
export interface BothServer {
  readonly url: string;
  queue(prefix: string, name: string): Queue;
  /** Gives a job the state after that many workers have died that had claimed it. */
  haveDied(prefix: string, name: string, taskId: string, workers: number): Promise<void>;
}

/** The same cases on Redis and on PostgreSQL. */
export async function onBoth(cases: (server: BothServer) => void): Promise<void> {
  const services = await startServices();
  const client = new Redis(services.redisUrl, { maxRetriesPerRequest: null });
  const pool = new pg.Pool({ connectionString: services.postgresUrl, options: '-c search_path=bullmq' });
  // `pool.end()` resolves before all connections have ended: the server may stop first.
  pool.on('error', () => undefined);
  const queues: Queue[] = [];
  const kept = (queue: Queue): Queue => {
    queues.push(queue);
    return queue;
  };

  afterEach(async () => {
    for (const queue of queues.splice(0)) await queue.close();
  });
  afterAll(async () => {
    client.disconnect();
    await pool.end();
    await services.stop();
  });

  describe('over Redis', () =>
    cases({
      url: services.redisUrl,
      queue: (prefix, name) => kept(new Queue(name, { prefix, connection: client })),
      haveDied: async (prefix, name, taskId, workers) => {
        await client.hset(`${prefix}:${name}:${taskId}`, 'stc', workers);
      },
    }));
  describe('over PostgreSQL', () =>
    cases({
      url: services.postgresUrl,
      queue: (prefix, name) =>
        kept(new Queue(`${prefix}.${name}`, { connection: pool }, createPostgresBackend as never)),
      haveDied: async (prefix, name, taskId, workers) => {
        const values = [`${prefix}.${name}`, taskId, workers];
        await pool.query('UPDATE job SET stalled_count = $3 WHERE queue = $1 AND id = $2', values);
      },
    }));
}
