import pg from 'pg';
import { outbox } from '../dist/outbox/index.js';
import { startServices } from '../scripts/services/services.mjs';
import { start } from './nest-app.mjs';
import { inFlight, percentile } from './rate.mjs';

const WIDTH = 16;
const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };

/**
 * An ordinary submission, and one in a small transaction of its own, take turns on one server: jobs a second, and 1,000
 * jobs of one call in milliseconds.
 */
export default async function direct({ jobs, turns }) {
  const services = await startServices({ redis: false, own: true });
  const pool = new pg.Pool({ connectionString: services.postgresUrl, max: WIDTH });
  pool.on('error', () => {});
  const { app, flowrra } = await start({
    engine: services.postgresUrl,
    role: 'producer',
    remoteTasks: { later: {} },
    outbox: outbox({ database: pool, direct: true }),
  });
  const inTransaction = async (fn) => {
    const tx = await pool.connect();
    try {
      await tx.query('BEGIN');
      await fn(flowrra.within(tx));
      await tx.query('COMMIT');
    } finally {
      tx.release();
    }
  };
  const many = Array.from({ length: 1_000 }, () => [PAYLOAD]);
  const sides = {
    ordinary: { one: () => flowrra.submit('later', PAYLOAD), many: () => flowrra.submitMany('later', many) },
    direct: {
      one: () => inTransaction((within) => within.submit('later', PAYLOAD)),
      many: () => inTransaction((within) => within.submitMany('later', many)),
    },
  };
  const kinds = {
    single: (side) => inFlight(jobs / 10, 1, side.one),
    flight: (side) => inFlight(jobs, WIDTH, side.one),
    bulk: (side) => side.many(),
  };
  const found = {};
  for (const [kind, run] of Object.entries(kinds)) {
    const taken = { ordinary: [], direct: [] };
    // The first turn warms up.
    for (let n = 0; n <= turns; n++) {
      for (const name of n % 2 === 0 ? ['ordinary', 'direct'] : ['direct', 'ordinary']) {
        const started = performance.now();
        await run(sides[name]);
        if (n > 0) taken[name].push(performance.now() - started);
      }
    }
    const count = { single: jobs / 10, flight: jobs, bulk: many.length }[kind];
    for (const name of ['ordinary', 'direct'])
      found[`${kind} ${name}`] = (1_000 * count) / percentile(taken[name], 0.5);
  }
  await app.close();
  await pool.end();
  await services.stop();
  return found;
}
