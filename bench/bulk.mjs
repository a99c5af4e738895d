// Operations on many jobs: the time of each, and the longest time for which the event loop and the server were held.
//
//   node bench/bulk.mjs memory|sqlite|redis|postgres [JOBS]
//
// For the servers: node scripts/services/services.mjs -- node bench/bulk.mjs redis
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from '../dist/index.js';
import { bullmq } from '../dist/engine/bullmq/index.js';
import { sqlite } from '../dist/engine/sqlite/index.js';

const [kind = 'memory', given = '100000'] = process.argv.slice(2);
const jobs = Number(given);
const BATCH = 1_000;
const { FLOWRRA_TEST_REDIS_URL: redisUrl, FLOWRRA_TEST_POSTGRES_URL: postgresUrl } = process.env;
const folder = mkdtempSync(join(tmpdir(), 'flowrra-bulk-'));

const engines = {
  memory: () => 'memory:',
  sqlite: () => sqlite({ file: join(folder, 'jobs.db') }),
  redis: () => bullmq({ connection: redisUrl, prefix: `bulk${process.pid}` }),
  postgres: () => bullmq({ connection: postgresUrl, prefix: `bulk${process.pid}` }),
};

/** Another client of the server, which asks it again and again. */
async function probe() {
  if (kind === 'redis') {
    const { Redis } = await import('ioredis');
    const client = new Redis(redisUrl);
    return { ask: () => client.ping(), close: () => client.disconnect() };
  }
  if (kind === 'postgres') {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: postgresUrl });
    await client.connect();
    return { ask: () => client.query('SELECT 1'), close: () => client.end() };
  }
  return { ask: () => new Promise(setImmediate), close: () => undefined };
}

const { ask, close } = await probe();

async function measure(name, operation) {
  let [loop, server, running] = [0, 0, true];
  const turns = (async () => {
    for (let last = performance.now(); running;) {
      await new Promise(setImmediate);
      const now = performance.now();
      loop = Math.max(loop, now - last);
      last = now;
    }
  })();
  const asks = (async () => {
    while (running) {
      const started = performance.now();
      await ask();
      server = Math.max(server, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const started = performance.now();
  const count = await operation();
  const ms = performance.now() - started;
  running = false;
  await Promise.all([turns, asks]);
  console.log(
    `${kind}\t${name}\t${count} jobs\t${(ms / 1_000).toFixed(1)} s\tlongest hold of the loop ${loop.toFixed(1)} ms, longest answer of the server ${server.toFixed(1)} ms`,
  );
}

class BenchModule {}
const engine = engines[kind]();
const app = await NestFactory.createApplicationContext(
  {
    module: BenchModule,
    imports: [
      FlowrraModule.forRoot({ engine, role: kind === 'memory' ? 'all' : 'producer', maxResults: 10 * jobs }),
    ],
  },
  { logger: ['error'] },
);
const flowrra = app.get(FlowrraService);
const task = (n) => n;
flowrra.register({ name: 'task', tags: ['tagged'] }, task);
await app.init?.();
await flowrra.queues.pause('default');

async function submit() {
  for (let from = 0; from < jobs; from += BATCH)
    await flowrra.submitMany(
      task,
      Array.from({ length: Math.min(BATCH, jobs - from) }, (_, n) => [from + n]),
    );
}

await submit();
await measure('count with a tag', () => flowrra.jobs.cancelAll({ tag: 'tagged', dryRun: true }));
await measure('cancelAll of waiting jobs', () => flowrra.jobs.cancelAll());
await measure('removeAll', () => flowrra.jobs.removeAll());
await submit();
await measure('cancelAll with a tag', () => flowrra.jobs.cancelAll({ tag: 'tagged' }));
await measure('removeAll with a tag', () => flowrra.jobs.removeAll({ tag: 'tagged' }));
await app.close();
await close();
rmSync(folder, { recursive: true });
