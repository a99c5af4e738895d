import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startServices } from '../scripts/services/services.mjs';
import { bullmq } from '../dist/engine/bullmq/index.js';
import { sqlite } from '../dist/engine/sqlite/index.js';
import { start } from './nest-app.mjs';

/** Starts applications on one engine, with storage of its own. */
export async function enginePlace(kind, folder) {
  const file = join(folder, `${kind}-${process.pid}.db`);
  const services =
    kind === 'redis' || kind === 'postgres'
      ? await startServices({ redis: kind === 'redis', postgres: kind === 'postgres', own: true })
      : null;
  const connection = services?.redisUrl ?? services?.postgresUrl;
  const engine = () =>
    kind === 'memory' ? 'memory:' : kind === 'sqlite' ? sqlite({ file }) : bullmq({ connection });
  return {
    /** The bytes of the database file; 0 without one. */
    size: () => (kind === 'sqlite' ? statSync(file).size : 0),
    /** @param counted Wraps the engine. */
    async start({ providers = [], counted = (made) => made, ...options } = {}) {
      return start({ engine: counted(await resolved(engine())), ...options }, providers);
    },
    /** A client of the server that is not Flowrra's. Without a server, it asks the event loop. */
    async client() {
      if (kind === 'redis') {
        const { Redis } = await import('ioredis');
        const client = new Redis(connection);
        return { ask: () => client.ping(), close: () => client.disconnect() };
      }
      if (kind === 'postgres') {
        const { default: pg } = await import('pg');
        const client = new pg.Client({ connectionString: connection });
        await client.connect();
        return { ask: () => client.query('SELECT 1'), close: () => client.end() };
      }
      return { ask: () => new Promise(setImmediate), close: () => undefined };
    },
    async stop() {
      await services?.stop();
      for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
    },
  };
}

async function resolved(engine) {
  if (typeof engine !== 'string') return engine;
  const { memoryEngine } = await import('../dist/engine/memory/memory-store.js');
  return memoryEngine();
}
