import { outbox } from '../dist/outbox/index.js';
import { enginePlace } from './engine-place.mjs';
import { percentile } from './rate.mjs';
import { sqlPlace } from './sql-place.mjs';

const BATCH = 1_000;
/** The number of batches of one turn: a backlog that a relay finds after an outage. */
const BATCHES = 5;

/**
 * `submitMany` to an engine, and the relay of as many jobs from an outbox to it, in turns: microseconds a job. The jobs
 * wait in a paused queue.
 */
export default async function relayed({ kind, database, turns, folder }) {
  const sql = await sqlPlace(database, folder);
  const place = await enginePlace(kind, folder);
  const { app, flowrra } = await place.start({
    outbox: outbox({ database: sql.database, relay: false }),
    maxResults: 1_000_000,
  });
  flowrra.register({ name: 'task' }, (n) => n);
  await flowrra.queues.pause('default');
  const jobs = Array.from({ length: BATCH }, (_, n) => [n]);
  const sides = {
    async submitMany() {
      const started = performance.now();
      for (let n = 0; n < BATCHES; n++) await flowrra.submitMany('task', jobs);
      return performance.now() - started;
    },
    async relay(turn) {
      await sql.run('BEGIN');
      for (let n = 0; n < BATCHES; n++) await flowrra.within(sql.tx).submitMany('task', jobs);
      await sql.run('COMMIT');
      // Autovacuum does so on a server that has run for some minutes.
      if (turn === 0) await sql.run('ANALYZE');
      const started = performance.now();
      await flowrra.outbox.relay();
      return performance.now() - started;
    },
  };
  const taken = { submitMany: [], relay: [] };
  for (let turn = 0; turn <= turns; turn++)
    for (const side of turn % 2 === 0 ? ['submitMany', 'relay'] : ['relay', 'submitMany']) {
      const ms = await sides[side](turn);
      // The first turn warms up.
      if (turn > 0) taken[side].push((1_000 * ms) / (BATCH * BATCHES));
    }
  await app.close();
  await place.stop();
  await sql.stop();
  const [submitMany, relay] = [percentile(taken.submitMany, 0.5), percentile(taken.relay, 0.5)];
  return { submitMany, relay, ratio: submitMany / relay };
}
