import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { type FlowrraModuleOptions, FlowrraConfigError, QueueFullError } from '../../lib/index.js';
import { sqlite } from '../../lib/engine/sqlite/index.js';
import { outbox } from '../../lib/outbox/index.js';
import { startServices } from '../../scripts/services/services.mjs';
import { place } from '../bullmq/apps.js';
import { startApp } from '../support/app.js';
import { tempFile } from '../support/sqlite.js';
import { DirectBed, Work } from './support/direct-bed.js';

const services = await startServices({ postgres: false });
const bed = await DirectBed.open();
const other = await DirectBed.open();
afterAll(async () => {
  await bed.close();
  await other.close();
  await services.stop();
});

const MANY = Array.from({ length: 50 }, (_, n): [string] => [`${n}`]);

/** The error of the start. */
async function rejected(options: FlowrraModuleOptions): Promise<unknown> {
  const started = startApp(options, { providers: [Work] });
  const error: unknown = await started.then(
    ({ app }) => app.close(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FlowrraConfigError);
  return (error as Error).message;
}

describe('the start fails', () => {
  const direct = outbox({ database: bed.pool, direct: true });

  it.each([
    ['memory', () => 'memory:'],
    ['SQLite', () => sqlite({ file: tempFile() })],
    ['BullMQ over Redis', () => bullmq({ connection: services.redisUrl, prefix: place() })],
  ])('if the engine is %s', async (_engine, engine) => {
    expect(await rejected({ engine: engine(), outbox: direct })).toMatch(
      /direct is true, and the engine cannot add jobs in a transaction.*BullMQ over PostgreSQL/,
    );
  });

  it.each([
    ['another database of the server', () => other.pool],
    ['SQLite', () => new Sqlite(':memory:')],
  ])('if the outbox is in %s', async (_what, database) => {
    const engine = bullmq({ connection: bed.url, prefix: place() });
    expect(await rejected({ engine, outbox: outbox({ database: database(), direct: true }) })).toMatch(
      /direct is true, and the engine is in another database/,
    );
  });
});

describe('a transaction of another database is rejected', () => {
  it.each(['without', 'with'])('%s tables of BullMQ', async (tables) => {
    if (tables === 'with') await other.start();
    const { flowrra, work, storage } = await bed.start({ role: 'producer' });
    const elsewhere = /in a database without the jobs of the engine, whose schema is 'bullmq'/;
    for (const submit of [
      (tx: pg.PoolClient) => flowrra.within(tx).submit(work.note, 'a'),
      (tx: pg.PoolClient) => flowrra.within(tx).submitMany(work.note, MANY),
    ]) {
      const submitted = other.transaction<unknown>(submit);
      await expect(submitted).rejects.toThrow(FlowrraConfigError);
      await expect(submitted).rejects.toThrow(elsewhere);
    }
    if (tables === 'with') expect(await other.rows(storage)).toEqual([]);
    expect(await bed.rows(storage)).toEqual([]);
  });
});

describe('a role of the transactions', () => {
  const role = `direct_${process.pid}`;
  const limited = (): pg.Pool => {
    const url = new URL(bed.url);
    url.username = role;
    url.password = 'secret';
    return new pg.Pool({ connectionString: url.href });
  };
  afterAll(async () => {
    await bed.pool.query(`DROP OWNED BY ${role}`);
    await bed.pool.query(`DROP ROLE ${role}`);
  });

  it('needs the use of the schema, and rights on tables and sequences', async () => {
    const { flowrra, work } = await bed.start();
    await bed.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    const pool = limited();
    const engine = bullmq({ connection: bed.url, prefix: place() });
    expect(await rejected({ engine, outbox: outbox({ database: pool, direct: true }) })).toMatch(
      /GRANT USAGE ON SCHEMA "bullmq"/,
    );
    for (const grant of [
      'USAGE ON SCHEMA bullmq',
      'SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bullmq',
      'USAGE ON ALL SEQUENCES IN SCHEMA bullmq',
    ])
      await bed.pool.query(`GRANT ${grant} TO ${role}`);
    const client = await pool.connect();
    await client.query('BEGIN');
    const ids = [
      await flowrra
        .within(client)
        .with({ tags: ['a'] })
        .submit(work.note, 'a'),
      ...(await flowrra.within(client).submitMany(work.note, MANY)),
    ];
    await client.query('COMMIT');
    client.release();
    await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
    expect(work.ran).toHaveLength(51);
    await pool.end();
  });
});

it('the schema of the engine may have another name', async () => {
  const { flowrra, work } = await bed.start({}, { schema: 'Other$1' });
  const ids = await bed.transaction(async (tx) => [
    await flowrra.within(tx).submit(work.note, 'a'),
    ...(await flowrra.within(tx).submitMany(work.note, MANY)),
  ]);
  await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
  expect(work.ran).toHaveLength(51);
});

it('maxPending does not reject a job in a transaction, and counts it after the commit', async () => {
  const { flowrra, work } = await bed.start({ role: 'producer', maxPending: 1, whenFull: 'reject' });
  await bed.transaction(async (tx) => {
    await flowrra.within(tx).submit(work.note, 'a');
    await flowrra.within(tx).submit(work.note, 'b');
  });
  expect(await flowrra.pendingCount()).toBe(2);
  await expect(flowrra.submit(work.note, 'c')).rejects.toThrow(QueueFullError);
});

it('ctx.once takes effect once', async () => {
  const { flowrra, work } = await bed.start();
  let effects = 0;
  work.onAttempt = async (ctx) => {
    const paid = await bed.transaction((tx) => ctx.once(tx, () => ++effects));
    if (ctx.attempt < 3) throw new Error('again');
    return paid;
  };
  const taskId = await bed.transaction((tx) => flowrra.within(tx).submit(work.attempt));
  expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success', result: 1 });
  expect(effects).toBe(1);
});

it('jobs that a relay has not handed on before `direct` was set are handed on at the start', async () => {
  const before = await bed.start({
    role: 'producer',
    outbox: outbox({ database: bed.pool, relay: false }),
  });
  const { storage, work } = before;
  const taskId = await bed.transaction((tx) => before.flowrra.within(tx).submit(work.note, 'a'));
  expect(await bed.rows(storage)).toEqual([]);
  await before.app.close();
  const { flowrra } = await bed.start({}, { prefix: storage });
  await flowrra.outbox.relay();
  expect(await flowrra.waitForResult(taskId)).toMatchObject({ result: 'ran a' });
  expect(await flowrra.outbox.health()).toEqual({ oldestMs: null, stuck: 0 });
});

it('a connection that is described by the application is asynchronous', async () => {
  const { flowrra, work } = await bed.start();
  let taskId = '';
  await bed.transaction(async (tx) => {
    const run = async (sql: string, values: readonly unknown[]) => (await tx.query(sql, [...values])).rows;
    const own = { dialect: 'postgres', run, sync: true };
    expect(() => flowrra.within(own).submitSync(work.note, 'a')).toThrow(/SqlConnection is asynchronous/);
    taskId = await flowrra.within(own).submit(work.note, 'a');
  });
  expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success' });
});
