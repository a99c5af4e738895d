import { startServices } from '../scripts/services/services.mjs';
import { Task } from '../dist/index.js';
import { start } from './nest-app.mjs';
import { inFlight, percentile, rate } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
const PRODUCER = { remoteTasks: { work: {} }, role: 'producer' };
const thousand = Array.from({ length: 1_000 }, () => [PAYLOAD]);

/** Flowrra over the same server as bare BullMQ. */
export default async function flowrraBullMq({ server, jobs }) {
  const services = await startServices({
    redis: server === 'redis',
    postgres: server === 'postgres',
    own: true,
  });
  const engine = server === 'redis' ? services.redisUrl : services.postgresUrl;

  const producer = await start({
    engine,
    queues: { submit: {} },
    remoteTasks: { work: { queue: 'submit' } },
    role: 'producer',
  });
  const submit = () => producer.flowrra.submit('work', PAYLOAD);
  await inFlight(500, 10, submit);
  const single = await rate(jobs / 10, () => inFlight(jobs / 10, 1, submit));
  const flight = await rate(jobs, () => inFlight(jobs, 100, submit));
  const bulk = await rate(jobs, () =>
    inFlight(jobs / 1_000, 1, () => producer.flowrra.submitMany('work', thousand)),
  );
  await producer.app.close();

  const found = {
    single,
    flight,
    bulk,
    process: await processing(engine, jobs),
    ...(await roundTrips(engine)),
  };
  const rss = process.resourceUsage().maxRSS / 1024;
  await services.stop();
  return { ...found, rss };
}

/** From the first call of the task until the result of the last one is stored. */
async function processing(engine, jobs) {
  const producer = await start({ engine, ...PRODUCER });
  for (let n = 0; n < jobs; n += 1_000) await producer.flowrra.submitMany('work', thousand);
  await producer.app.close();
  let started;
  class Work {
    async work() {
      started ??= performance.now();
    }
  }
  Task({ name: 'work' })(Work.prototype, 'work', Object.getOwnPropertyDescriptor(Work.prototype, 'work'));
  const { app, flowrra } = await start({ engine, numWorkers: 100 }, [Work]);
  while ((await flowrra.pendingCount()) > 0) await new Promise((look) => setTimeout(look, 10));
  await app.close();
  return (1000 * jobs) / (performance.now() - started);
}

/** One after the other, in milliseconds. */
async function roundTrips(engine) {
  const { app, flowrra } = await start({ engine, queues: { trips: { concurrency: 100 } } });
  flowrra.register({ name: 'trip', queue: 'trips' }, async () => 1);
  const times = [];
  for (let n = 0; n < 600; n++) {
    const started = performance.now();
    await flowrra.waitForResult(await flowrra.submit('trip'));
    times.push(performance.now() - started);
  }
  await app.close();
  return { trip: percentile(times.slice(100), 0.5) };
}
