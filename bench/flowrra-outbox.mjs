import { outbox, outboxSchema } from '../dist/outbox/index.js';
import { start } from './nest-app.mjs';
import { percentile } from './rate.mjs';
import { countStatements, sqlPlace } from './sql-place.mjs';

/** Submissions or insertions in one transaction. */
const IN_TRANSACTION = 200;
const IDLE_SECONDS = 10;
/** The longest time between a submission and its commit. */
const HOLD_MS = 40;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The costs of an outbox in one database: those of a submission, the time from commit to start, and an idle relay. */
export default async function measured({ database: kind, turns, jobs, folder }) {
  const place = await sqlPlace(kind, folder);
  const { database, counted } = place;
  const starts = new Map();
  const { app, flowrra } = await start({ outbox: outbox({ database }) });
  flowrra.register({ name: 'task' }, (n) => starts.get(n)?.(performance.now()));

  const submission = await submissionCost(place, flowrra, turns);
  const latencies = [];
  // The first ones warm up.
  for (let n = -10; n < jobs; n++) {
    const started = new Promise((resolve) => starts.set(n, resolve));
    await place.run('BEGIN');
    await submit(flowrra, place, n);
    await sleep(Math.random() * HOLD_MS);
    await place.run('COMMIT');
    const committed = performance.now();
    const latency = (await started) - committed;
    if (n >= 0) latencies.push(Math.max(0, latency));
    starts.delete(n);
  }

  // Looks that follow a submission have ended by then.
  await sleep(6_000);
  const statements = countStatements(database, counted);
  await sleep(IDLE_SECONDS * 1_000);
  const idle = statements.end() / IDLE_SECONDS;
  await app.close();
  await place.stop();
  return { ...submission, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), idle };
}

function submit(flowrra, { dialect, tx }, n) {
  const within = flowrra.within(tx);
  return dialect === 'sqlite' ? within.submitSync('task', n) : within.submit('task', n);
}

/** Submissions, and insertions into a table of the same columns, in turns, in transactions that are rolled back. */
async function submissionCost(place, flowrra, turns) {
  const { run, tx, dialect, counted } = place;
  for (const sql of outboxSchema(dialect, { name: 'plain' }).split(/;\s*$/m))
    if (sql.trim() !== '') await run(sql);
  await run('BEGIN');
  const statements = countStatements(tx, counted);
  await submit(flowrra, place, 0);
  const count = statements.end();
  await run('ROLLBACK');
  const job = JSON.stringify({ taskName: 'task', queue: 'default', priority: 0, delay: 0, args: [0] });
  const insert = 'INSERT INTO plain_outbox (id, task, job, created_at, due_at) VALUES (?, ?, ?, ?, ?)';
  const sides = {
    submitted: (n) => submit(flowrra, place, n),
    inserted: (n) => run(insert, [`j-${'0'.repeat(16)}-${n}`, 'task', job, Date.now(), Date.now()]),
  };
  const taken = { submitted: [], inserted: [] };
  for (let turn = 0; turn <= turns; turn++)
    for (const side of turn % 2 === 0 ? ['submitted', 'inserted'] : ['inserted', 'submitted']) {
      await run('BEGIN');
      const started = performance.now();
      for (let n = 0; n < IN_TRANSACTION; n++) await sides[side](n);
      const ms = performance.now() - started;
      await run('ROLLBACK');
      // The first turn warms up.
      if (turn > 0) taken[side].push((1_000 * ms) / IN_TRANSACTION);
    }
  const [submitted, inserted] = [percentile(taken.submitted, 0.5), percentile(taken.inserted, 0.5)];
  return { count, submitted, inserted, ratio: submitted / inserted };
}
