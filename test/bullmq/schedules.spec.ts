import { Redis } from 'ioredis';
import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';
import { PostgresSchedules } from '../../lib/engine/bullmq/server/postgres-schedules.js';
import * as sql from '../../lib/engine/bullmq/server/sql/schedule.js';
import { EngineError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { schedulesOn, write } from './schedule-stores.js';

const services = await startServices();
const redis = new Redis(services.redisUrl, { maxRetriesPerRequest: null });
const pool = new pg.Pool({ connectionString: services.postgresUrl });
// A pool counts as ended before its connections are: the server may go first.
pool.on('error', () => undefined);
const schemas: string[] = [];

afterAll(async () => {
  redis.disconnect();
  for (const schema of schemas) await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await pool.end();
  await services.stop();
});

function newSchema(): string {
  schemas.push(`schedules_${process.pid}_${schemas.length}`);
  return schemas.at(-1) as string;
}

/** An engine sets up the schema, as far as BullMQ needs it. */
async function withoutTable(): Promise<string> {
  const schema = newSchema();
  const { app } = await startOn({ connection: services.postgresUrl, schema }, Work);
  await app.close();
  await pool.query(`DROP TABLE "${schema}".flowrra_schedule`);
  return schema;
}

it.each([
  ['Redis', () => services.redisUrl],
  ['PostgreSQL', () => services.postgresUrl],
])('%s keeps the schedules of two prefixes apart', async (_, url) => {
  const here = await schedulesOn({ connection: url(), prefix: place() });
  const there = await schedulesOn({ connection: url(), prefix: place() });
  expect(await here.put([write('same', { body: '"here"' })])).toEqual([true]);
  expect(await there.page('', 10)).toEqual([]);
  expect(await there.put([write('same', { expected: 1 })])).toEqual([false]);
  expect(await there.put([write('same', { body: '"there"' })])).toEqual([true]);
  expect(await here.remove('same')).toBe(true);
  expect(await there.earliest(10)).toMatchObject([{ body: '"there"' }]);
});

describe('on Redis', () => {
  it('nothing is left after the last schedule has been removed', async () => {
    const prefix = place();
    const keys = async (): Promise<string[]> => (await redis.keys(`${prefix}:schedules*`)).sort();
    const all = async (): Promise<string[]> => (await redis.keys(`${prefix}:*`)).sort();
    const schedules = await schedulesOn({ connection: services.redisUrl, prefix });
    const before = await all();
    expect(await schedules.put([write('a'), write('b', { due: null })])).toEqual([true, true]);
    expect(await keys()).toEqual(['', '.due', '.names'].map((part) => `${prefix}:schedules${part}`));
    expect(await schedules.remove('a')).toBe(true);
    expect(await schedules.remove('b')).toBe(true);
    expect(await all()).toEqual(before);
  });

  it('a queue of the same name, and a job in it, have other keys', async () => {
    const prefix = place();
    const schedules = await schedulesOn({ connection: services.redisUrl, prefix });
    const queues = { schedules: {}, 'schedules.due': {} };
    const { flowrra } = await startOn({ connection: services.redisUrl, prefix }, Work, {
      queues,
      remoteTasks: { far: { queue: 'schedules' } },
    });
    await schedules.put([write('names')]);
    await flowrra.with({ taskId: 'names' }).submit('far');
    expect(await schedules.earliest(10)).toMatchObject([{ name: 'names', version: 1 }]);
    expect(await flowrra.jobs.get('names')).toMatchObject({ taskName: 'far' });
  });

  it('a value that another program has written counts as not stored', async () => {
    const prefix = place();
    const schedules = await schedulesOn({ connection: services.redisUrl, prefix });
    await schedules.put([write('bad'), write('good')]);
    await redis.hset(`${prefix}:schedules`, 'bad', 'not of ours');
    expect(await schedules.page('', 10)).toMatchObject([{ name: 'good' }]);
    expect(await schedules.earliest(10)).toMatchObject([{ name: 'good' }]);
    expect(await schedules.get(['bad'])).toEqual([]);
    expect(await schedules.put([write('bad', { expected: 1 })])).toEqual([false]);
    expect(await schedules.put([write('bad')])).toEqual([true]);
    expect(await schedules.get(['bad'])).toMatchObject([{ version: 1 }]);
  });

  it('an error of the server rejects, and changes nothing', async () => {
    const prefix = place();
    const schedules = await schedulesOn({ connection: services.redisUrl, prefix });
    await redis.set(`${prefix}:schedules`, 'not of ours');
    const error: unknown = await Promise.resolve(schedules.put([write('a')])).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(EngineError);
    expect((error as Error).message).toMatch(/^Redis could not be queried: .*WRONGTYPE/);
    expect(await redis.keys(`${prefix}:schedules.*`)).toEqual([]);
  });
});

describe('on PostgreSQL', () => {
  const url = services.postgresUrl;

  it('several processes that start at once make the table once', async () => {
    const schema = await withoutTable();
    const all = await Promise.all(Array.from({ length: 6 }, () => schedulesOn({ connection: url, schema })));
    const answers = await Promise.all(all.map((schedules) => schedules.put([write('raced')])));
    expect(answers.flat().filter((won) => won)).toHaveLength(1);
  });

  it('with migrate: false and without the table, the engine works, and only schedules reject', async () => {
    const schema = await withoutTable();
    const schedules = await schedulesOn({ connection: url, schema, migrate: false });
    const calls = [
      async () => schedules.put([write('a')]),
      async () => schedules.earliest(1),
      async () => schedules.remove('a'),
    ];
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({
        code: 'FLOWRRA_ENGINE',
        message: expect.stringMatching(`'${schema}' has no table flowrra_schedule.*migrate: true`),
      });
    await schedulesOn({ connection: url, schema });
    expect(await schedules.put([write('a')])).toEqual([true]);
  });

  it('reads search an index and do not sort, with 10,000 schedules', async () => {
    const prefix = place();
    const schedules = await schedulesOn({ connection: url, prefix });
    for (let from = 0; from < 10_000; from += 500) {
      const some = Array.from({ length: 500 }, (_, n) => write(`schedule ${from + n}`, { due: from + n }));
      await schedules.put(some);
    }
    await pool.query('ANALYZE bullmq.flowrra_schedule');
    const client = await pool.connect();
    try {
      await client.query('SET search_path = bullmq');
      const plan = async (statement: string, ...values: unknown[]): Promise<string> => {
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${statement}`, [
          prefix,
          ...values,
        ]);
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      };
      const earliest = await plan(sql.EARLIEST, 100);
      expect(earliest).toMatch(/Index Scan using flowrra_schedule_due/);
      expect(earliest).not.toMatch(/Sort|Seq Scan|Bitmap/);
      const page = await plan(sql.PAGE, 'schedule 5', 100);
      expect(page).toMatch(/Index Scan using flowrra_schedule_pkey/);
      expect(page).not.toMatch(/Sort|Seq Scan|Bitmap/);
      expect(await plan(sql.GET, ['schedule 7'])).not.toMatch(/Seq Scan/);
    } finally {
      client.release(true);
    }
  });

  it('a transaction that the server has rolled back is tried again, at most five times', async () => {
    const answering = (failures: number) => {
      let calls = 0;
      const query = async (): Promise<object> => {
        if (++calls <= failures) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
        return { rows: [{ n: '1' }] };
      };
      return { schedules: new PostgresSchedules({ query } as never, 'p', 'bullmq'), calls: () => calls };
    };
    const twice = answering(2);
    expect(await twice.schedules.put([write('a'), write('b')])).toEqual([true, false]);
    expect(twice.calls()).toBe(3);
    const always = answering(Infinity);
    await expect(always.schedules.put([write('a')])).rejects.toThrow('deadlock detected');
    expect(always.calls()).toBe(5);
  });
});
