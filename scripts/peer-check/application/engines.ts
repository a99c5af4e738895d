import type { Engine } from 'flowrra';
import { bullmq } from 'flowrra/bullmq';
import { sqlite } from 'flowrra/sqlite';
import { Redis } from 'ioredis';
import pg from 'pg';

/** One engine under test. */
export interface EngineUnderTest {
  readonly name: string;
  /** A new engine over the same jobs. The memory engine shares no jobs, so it has no `producer`. */
  worker(): string | Engine;
  producer?(): Engine;
  /** Removes the jobs from the server, and closes connections that belong to this program. */
  cleanUp?(): Promise<void>;
}

/** Keys and tables of this run, on a server that may have others. */
const OWN_NAME = `flowrra_peers_${process.pid}`;

export function memory(): EngineUnderTest {
  return { name: 'memory', worker: () => 'memory:' };
}

/** `driver` is set because newer versions of Node prefer their own. */
export function betterSqlite(): EngineUnderTest {
  const open = () => sqlite({ file: './tasks.db', driver: 'better-sqlite3' });
  return { name: 'SQLite by better-sqlite3', worker: open, producer: open };
}

/** The producer connects by URL, the worker through a client of the program. */
export function redis(url: string): EngineUnderTest {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  return {
    name: 'BullMQ over Redis',
    worker: () => bullmq({ connection: client, prefix: OWN_NAME }),
    producer: () => bullmq({ connection: url, prefix: OWN_NAME }),
    cleanUp: async () => {
      const keys = await client.keys(`${OWN_NAME}:*`);
      if (keys.length > 0) await client.del(keys);
      await client.quit();
    },
  };
}

/** The producer connects by URL and creates the schema, the worker uses a pool of the program. */
export function postgres(url: string): EngineUnderTest {
  const pool = new pg.Pool({ connectionString: url, options: `-c search_path=${OWN_NAME}`, max: 20 });
  return {
    name: 'BullMQ over PostgreSQL',
    worker: () => bullmq({ connection: pool, schema: OWN_NAME }),
    producer: () => bullmq({ connection: url, schema: OWN_NAME }),
    cleanUp: async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${OWN_NAME} CASCADE`);
      await pool.end();
    },
  };
}
