import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { sqlite } from '../dist/engine/sqlite/index.js';
import { start } from './nest-app.mjs';
import { inFlight } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
const REMOTE = { remoteTasks: { work: {} }, role: 'producer' };

/** Jobs per second, and the longest that the event loop was held meanwhile, in milliseconds. */
async function timed(jobs, run) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  await run();
  const rate = (1000 * jobs) / (performance.now() - started);
  delay.disable();
  return { rate, held: delay.percentile(99.9) / 1e6 };
}

/** What one durable commit takes here, in milliseconds: a bare insert, by the driver alone. */
function commitTime(folder) {
  const database = new Database(join(folder, 'commit.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  const started = performance.now();
  for (let n = 0; n < 500; n++) insert.run(n);
  const each = (performance.now() - started) / 500;
  database.close();
  return each;
}

async function submitting(file, jobs) {
  const { app, flowrra } = await start({ engine: sqlite({ file }), ...REMOTE });
  const submit = () => flowrra.submit('work', PAYLOAD);
  const single = await timed(jobs / 50, () => inFlight(jobs / 50, 1, submit));
  const flight64 = await timed(jobs, () => inFlight(jobs, 64, submit));
  const flight1000 = await timed(jobs, () => inFlight(jobs, 1_000, submit));
  const thousand = Array.from({ length: 1_000 }, () => [PAYLOAD]);
  const bulk = await timed(jobs, () => inFlight(jobs / 1_000, 1, () => flowrra.submitMany('work', thousand)));
  await app.close();
  return {
    single: single.rate,
    flight64: flight64.rate,
    flight1000: flight1000.rate,
    bulk: bulk.rate,
    submitHeld: Math.max(flight64.held, flight1000.held, bulk.held),
  };
}

/** A worker that finds its jobs waiting, at concurrency 4, until the last has run. */
async function processing(file, jobs) {
  const producer = await start({ engine: sqlite({ file }), ...REMOTE });
  const calls = Array.from({ length: jobs }, () => [PAYLOAD]);
  await producer.flowrra.submitMany('work', calls);
  await producer.app.close();
  const { app, flowrra } = await start({ engine: sqlite({ file }), ...REMOTE, role: 'worker' });
  let left = jobs;
  const { rate, held } = await timed(
    jobs,
    () =>
      new Promise((resolve) => {
        flowrra.events$.subscribe(({ type }) => type === 'succeeded' && --left === 0 && resolve());
        flowrra.register({ name: 'work' }, async (payload) => payload.name);
      }),
  );
  await app.close();
  return { process: rate, processHeld: held };
}

async function throughTheEngine(file, jobs) {
  const { app, flowrra } = await start({ engine: sqlite({ file }), numWorkers: 4 });
  flowrra.register({ name: 'work' }, async (payload) => payload.name);
  const toResult = async () => flowrra.waitForResult(await flowrra.submit('work', PAYLOAD));
  const through = await timed(jobs, () => inFlight(jobs, 1_000, toResult));
  const trips = [];
  for (let n = 0; n < 200; n++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const started = performance.now();
    await toResult();
    trips.push(performance.now() - started);
  }
  await app.close();
  return { through: through.rate, throughHeld: through.held, trip: trips.sort((a, b) => a - b)[100] };
}

/** The SQLite engine, durable as by default, on files in a folder that is gone afterwards. */
export default async function flowrraSqlite({ jobs, folder }) {
  const own = mkdtempSync(join(folder, 'flowrra-'));
  try {
    return {
      commit: commitTime(own),
      ...(await submitting(join(own, 'submit.db'), jobs)),
      ...(await processing(join(own, 'process.db'), jobs)),
      ...(await throughTheEngine(join(own, 'through.db'), jobs)),
    };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
