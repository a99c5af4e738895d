import { Redis } from 'ioredis';
import pg from 'pg';

/** Ends the leases of a killed process at once. */
export async function endLeases(connection: string, prefix: string, pid: number): Promise<void> {
  if (connection.startsWith('redis')) await onRedis(connection, prefix, pid);
  else await onPostgres(connection, prefix, pid);
}

async function onRedis(connection: string, prefix: string, pid: number): Promise<void> {
  const client = new Redis(connection);
  for (const queue of ['default', 'cpu']) {
    for (const id of await client.lrange(`${prefix}:${queue}:active`, 0, -1)) {
      const job = `${prefix}:${queue}:${id}`;
      const worker = await client.hget(job, 'pb');
      if (worker?.includes(`-${pid}-`)) await client.del(`${job}:lock`);
    }
  }
  client.disconnect();
}

async function onPostgres(connection: string, prefix: string, pid: number): Promise<void> {
  const client = new pg.Client({ connectionString: connection });
  await client.connect();
  await client.query(
    `UPDATE bullmq.job SET locked_until_ms = 0
      WHERE state = 'active' AND starts_with(queue, $1) AND strpos(processed_by, $2) > 0`,
    [`${prefix}.`, `-${pid}-`],
  );
  await client.end();
}
