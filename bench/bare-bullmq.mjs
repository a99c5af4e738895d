import { createPostgresBackend, Queue, QueueEvents, runMigrations, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startServices } from '../scripts/services/services.mjs';
import { inFlight, percentile, rate } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
/** Flowrra's own default: results are kept, as many of them. */
const KEEP = {
  removeOnComplete: { count: 100_000, age: 3_600 },
  removeOnFail: { count: 100_000, age: 3_600 },
};
const thousand = Array.from({ length: 1_000 }, () => ({ name: 'work', data: PAYLOAD, opts: KEEP }));

/** BullMQ by itself: one queue, its classes as its documentation uses them, and one connection or pool for all of them. */
export default async function bareBullMq({ server, jobs }) {
  const services = await startServices({
    redis: server === 'redis',
    postgres: server === 'postgres',
    own: true,
  });
  const make = server === 'redis' ? overRedis(services.redisUrl) : await overPostgres(services.postgresUrl);

  const queue = make(Queue, 'submit');
  await queue.waitUntilReady();
  const submit = () => queue.add('work', PAYLOAD, KEEP);
  await inFlight(500, 10, submit);
  const single = await rate(jobs / 10, () => inFlight(jobs / 10, 1, submit));
  const flight = await rate(jobs, () => inFlight(jobs, 100, submit));
  const bulk = await rate(jobs, () => inFlight(jobs / 1_000, 1, () => queue.addBulk(thousand)));

  const found = { single, flight, bulk, process: await processing(make, jobs), ...(await roundTrips(make)) };
  const rss = process.resourceUsage().maxRSS / 1024;
  await services.stop();
  return { ...found, rss };
}

/** The server goes before those who are connected to it. */
function quiet(made) {
  return made.on('error', () => {});
}

function overRedis(url) {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  return (Class, name, ...rest) => {
    const options = rest.pop() ?? {};
    return quiet(new Class(name, ...rest, { ...options, connection }));
  };
}

async function overPostgres(url) {
  const connection = new pg.Pool({ connectionString: url, options: '-c search_path=bullmq', max: 15 });
  connection.setMaxListeners(0);
  const client = await connection.connect();
  await runMigrations(client, 'bullmq');
  client.release();
  return (Class, name, ...rest) => {
    const options = rest.pop() ?? {};
    return quiet(
      new Class(name, ...rest, { ...options, connection, blockingTimeout: 250 }, createPostgresBackend),
    );
  };
}

/** From the first call of the processor until the result of the last one is stored. */
async function processing(make, jobs) {
  const queue = make(Queue, 'process');
  for (let n = 0; n < jobs; n += 1_000) await queue.addBulk(thousand);
  let started;
  const work = async () => {
    started ??= performance.now();
  };
  const worker = make(Worker, 'process', work, { concurrency: 100 });
  while ((await queue.getWaitingCount()) > 0) await new Promise((look) => setTimeout(look, 10));
  await worker.close();
  return (1000 * jobs) / (performance.now() - started);
}

/** One after the other, in milliseconds. */
async function roundTrips(make) {
  const queue = make(Queue, 'trips');
  const events = make(QueueEvents, 'trips');
  const worker = make(Worker, 'trips', async () => 1, { concurrency: 100 });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  const times = [];
  for (let n = 0; n < 600; n++) {
    const started = performance.now();
    const job = await queue.add('work', PAYLOAD, KEEP);
    await job.waitUntilFinished(events);
    times.push(performance.now() - started);
  }
  return { trip: percentile(times.slice(100), 0.5) };
}
