// The measurements of compare.mjs. Each one runs in a process of its own, and is given the packages of the
// checkout that it measures: `nest` is @nestjs/core, `flowrra`, `sqlite` and `bullmq` are entries of the library.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inFlight, rate } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };

async function start({ nest, flowrra: { FlowrraModule, FlowrraService } }, options = {}) {
  const root = FlowrraModule.forRoot(options);
  const app = await nest.NestFactory.createApplicationContext(root, { logger: ['error'] });
  return { app, flowrra: app.get(FlowrraService) };
}

/** Jobs per second from submission to result, after a warm-up with as many jobs. */
async function toResult({ app, flowrra }, jobs, width) {
  flowrra.register({ name: 'work' }, async (payload) => payload.name);
  const once = async () => flowrra.waitForResult(await flowrra.submit('work', PAYLOAD));
  await inFlight(jobs, width, once);
  const found = await rate(jobs, () => inFlight(jobs, width, once));
  await app.close();
  return found;
}

async function memoryRate(packages) {
  return toResult(await start(packages), 200_000, 1_000);
}

/** Jobs are pending because their queue is paused. */
async function memoryBytes(packages) {
  const { flowrra } = await start(packages);
  const jobs = 200_000;
  flowrra.register({ name: 'work' }, async (n) => n);
  const submitAll = async (count) => {
    for (let n = 0; n < count; n++) await flowrra.submit('work', n);
  };
  const heap = () => (globalThis.gc(), process.memoryUsage().heapUsed);
  await flowrra.queues.pause('default');
  await submitAll(1_000);
  const before = heap();
  await submitAll(jobs);
  // The application is not closed: closing would wait for the paused jobs.
  return (heap() - before) / jobs;
}

/** Microseconds, the median. */
async function memoryRoundTrip(packages) {
  const { app, flowrra } = await start(packages);
  flowrra.register({ name: 'work' }, async (n) => n);
  const times = [];
  for (let n = 0; n < 60_000; n++) {
    const started = performance.now();
    await flowrra.waitForResult(await flowrra.submit('work', n));
    if (n >= 30_000) times.push(1_000 * (performance.now() - started));
  }
  await app.close();
  return times.sort((a, b) => a - b)[times.length / 2];
}

async function sqliteRate(packages, { folder }) {
  const own = mkdtempSync(join(folder, 'compare-'));
  try {
    const engine = packages.sqlite.sqlite({ file: join(own, 'tasks.db') });
    return await toResult(await start(packages, { engine }), 10_000, 1_000);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function bullmqRate(packages, connection, jobs) {
  const engine = packages.bullmq.bullmq({ connection, prefix: `compare-${process.pid}` });
  return toResult(await start(packages, { engine, numWorkers: 100 }), jobs, 100);
}

async function redisRate(packages, { redisUrl }) {
  return bullmqRate(packages, redisUrl, 3_000);
}

async function postgresRate(packages, { postgresUrl }) {
  return bullmqRate(packages, postgresUrl, 1_000);
}

async function cpuRate(packages) {
  const { app, flowrra } = await start(packages, { cpuWorkers: 2 });
  const file = new URL('./cpu-work.mjs', import.meta.url);
  flowrra.register({ name: 'small', cpuBound: true, file, export: 'small' }, () => undefined);
  const once = async () => flowrra.waitForResult(await flowrra.submit('small', 1));
  await inFlight(5_000, 1_000, once);
  const found = await rate(10_000, () => inFlight(10_000, 1_000, once));
  await app.close();
  return found;
}

/** By the name that selects a measurement. `better` is the direction in which a version improves. */
export const MEASURES = {
  'memory-rate': { title: 'memory: submit to result, jobs/s', better: 'higher', run: memoryRate },
  'memory-bytes': { title: 'memory: heap, bytes per waiting job', better: 'lower', run: memoryBytes },
  'memory-trip': { title: 'memory: round trip, µs', better: 'lower', run: memoryRoundTrip },
  'sqlite-rate': { title: 'SQLite: submit to result, jobs/s', better: 'higher', run: sqliteRate },
  'redis-rate': { title: 'Redis: submit to result, jobs/s', better: 'higher', run: redisRate },
  'postgres-rate': { title: 'PostgreSQL: submit to result, jobs/s', better: 'higher', run: postgresRate },
  'cpu-rate': { title: 'CPU tasks in 2 threads, calls/s', better: 'higher', run: cpuRate },
};
