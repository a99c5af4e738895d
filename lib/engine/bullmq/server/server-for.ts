import type { BullServer } from './bull-server.js';
import { isPostgres, type ResolvedBullMqOptions } from '../bullmq-options.js';
import { loading } from './import-peer.js';

/**
 * The server that the options lead to, by the package that speaks to it.
 *
 * @param queues How many queues there are.
 */
export async function serverFor(
  options: ResolvedBullMqOptions,
  queues: number,
  trouble: (error: unknown) => void,
): Promise<BullServer> {
  if (isPostgres(options.connection)) {
    const { PostgresServer } = await import('./postgres-server.js');
    return PostgresServer.create(options, queues, trouble);
  }
  const { RedisServer } = await loading('ioredis', () => import('./redis-server.js'));
  return new RedisServer(options, trouble);
}
