import { Queue, Worker } from 'bullmq';
import { startServices } from '../scripts/services/services.mjs';
import { inFlight, rate } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
const KEEP = { removeOnComplete: { count: 100_000 } };

/** BullMQ on a Redis of its own, which puts every write on the disk before it answers. */
export default async function bullmq({ jobs }) {
  const services = await startServices({ redis: true, postgres: false, durable: true, own: true });
  const { hostname: host, port } = new URL(services.redisUrl);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const submitting = new Queue('submit', { connection });
  await submitting.waitUntilReady();
  const submit = () => submitting.add('work', PAYLOAD, KEEP);
  const single = await rate(jobs / 10, () => inFlight(jobs / 10, 1, submit));
  const flight64 = await rate(jobs, () => inFlight(jobs, 64, submit));
  const flight1000 = await rate(jobs, () => inFlight(jobs, 1_000, submit));
  const thousand = Array.from({ length: 1_000 }, () => ({ name: 'work', data: PAYLOAD, opts: KEEP }));
  const bulk = await rate(jobs, () => inFlight(jobs / 1_000, 1, () => submitting.addBulk(thousand)));
  await submitting.close();
  const found = await processing(connection, jobs, thousand);
  await services.stop();
  return { single, flight64, flight1000, bulk, process: found };
}

async function processing(connection, jobs, thousand) {
  const queue = new Queue('process', { connection });
  for (let n = 0; n < jobs; n += 1_000) await queue.addBulk(thousand);
  const worker = new Worker('process', async () => {}, { connection, concurrency: 4, autorun: false });
  await worker.waitUntilReady();
  let left = jobs;
  const found = await rate(
    jobs,
    () =>
      new Promise((resolve) => {
        worker.on('completed', () => --left === 0 && resolve());
        void worker.run();
      }),
  );
  await worker.close();
  await queue.close();
  return found;
}
