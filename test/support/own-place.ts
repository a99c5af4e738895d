import { Redis } from 'ioredis';
import pg from 'pg';
import type { Services } from '../../scripts/services/services.mjs';

/** Where an application whose engine is a mere URL is alone, whatever else uses the same servers. */
export interface OwnPlace {
  readonly redis: string;
  readonly postgres: string;
  remove(): Promise<void>;
}

/** @param number Of the Redis database: 1 to 15, each used by one spec. */
export async function ownPlace(services: Services, number: number): Promise<OwnPlace> {
  const name = `flowrra_${number}_${process.pid}`;
  const redis = new URL(services.redisUrl);
  redis.pathname = `/${number}`;
  const postgres = new URL(services.postgresUrl);
  postgres.pathname = `/${name}`;
  await forget(redis.href);
  await query(services.postgresUrl, `CREATE DATABASE ${name}`);
  return {
    redis: redis.href,
    postgres: postgres.href,
    remove: () => query(services.postgresUrl, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** An earlier run may have left jobs here. */
async function forget(url: string): Promise<void> {
  const client = new Redis(url);
  const keys = await client.keys('flowrra:*');
  if (keys.length > 0) await client.del(keys);
  client.disconnect();
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
