import { createPostgresBackend, Queue, QueueEvents, runMigrations, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { start } from './nest-app.mjs';

export const BULK = 1_000;
const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
const CONCURRENCY = 100;
/** Flowrra's own default: results are kept, as many of them. */
const KEEP = {
  removeOnComplete: { count: 100_000, age: 3_600 },
  removeOnFail: { count: 100_000, age: 3_600 },
};

/** Opens a gate when as many have passed as were announced. */
function turnstile() {
  let left = 0;
  let open;
  return {
    expect: (count) => ((left = count), new Promise((resolve) => (open = resolve))),
    pass: () => --left === 0 && open(),
  };
}

/** BullMQ by itself: its classes as its documentation uses them, with one connection or pool for all of them. */
export async function bare(server, url) {
  const make = server === 'redis' ? overRedis(url) : await overPostgres(url);
  const submitted = make(Queue, 'submit');
  const worked = make(Queue, 'work');
  const events = make(QueueEvents, 'work');
  const worker = make(Worker, 'work', async () => 1, { concurrency: CONCURRENCY });
  const ended = turnstile();
  worker.on('completed', ended.pass);
  await Promise.all([submitted, worked, events, worker].map((each) => each.waitUntilReady()));
  const many = Array.from({ length: BULK }, () => ({ name: 'work', data: PAYLOAD, opts: KEEP }));
  return {
    submit: () => submitted.add('work', PAYLOAD, KEEP),
    bulk: () => submitted.addBulk(many),
    trip: async () => (await worked.add('work', PAYLOAD, KEEP)).waitUntilFinished(events),
    fill: async () => {
      await worked.pause();
      await worked.addBulk(many);
    },
    empty: async () => {
      const all = ended.expect(BULK);
      await worked.resume();
      await all;
    },
    close: () => Promise.all([worker, events, worked, submitted].map((each) => each.close())),
  };
}

/** Flowrra in a Nest application, over the same server. */
export async function flowrra(url) {
  const { app, flowrra } = await start({
    engine: url,
    queues: { work: { concurrency: CONCURRENCY } },
  });
  const producer = await start({
    engine: url,
    queues: { submit: {} },
    remoteTasks: { later: { queue: 'submit' } },
    role: 'producer',
  });
  flowrra.register({ name: 'work', queue: 'work' }, async () => 1);
  const ended = turnstile();
  flowrra.events$.subscribe(({ type }) => type === 'succeeded' && ended.pass());
  const many = Array.from({ length: BULK }, () => [PAYLOAD]);
  return {
    submit: () => producer.flowrra.submit('later', PAYLOAD),
    bulk: () => producer.flowrra.submitMany('later', many),
    trip: async () => flowrra.waitForResult(await flowrra.submit('work', PAYLOAD)),
    fill: async () => {
      await flowrra.queues.pause('work');
      await flowrra.submitMany('work', many);
    },
    empty: async () => {
      const all = ended.expect(BULK);
      await flowrra.queues.resume('work');
      await all;
    },
    close: () => Promise.all([app.close(), producer.app.close()]),
  };
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
