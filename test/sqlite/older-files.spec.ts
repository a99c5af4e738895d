import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { migrate } from '../../lib/engine/sqlite/file/migrations.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';
import { DRIVER, sqliteEngine, tempFile } from '../support/sqlite.js';

const here = dirname(fileURLToPath(import.meta.url));
const id = (row: number): string => `s00tag00000000${row}${'A'.repeat(23)}`;

/** A file of an older schema, with rows of that time. */
async function fileOf(schema: number): Promise<string> {
  const file = tempFile();
  const database = (await loadDriver(DRIVER)).open(file);
  migrate(database, file, schema);
  database.exec(readFileSync(join(here, `schema-${schema}.sql`), 'utf8'));
  database.close();
  return file;
}

it('jobs and results in a file of the first schema are read and run', async () => {
  const file = await fileOf(1);
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ engine: sqliteEngine({ file }), clock });
  flowrra.register({ name: 'echo' }, (value: unknown) => value);
  flowrra.register({ name: 'length' }, (text: string) => text.length);
  flowrra.register({ name: 'fails' }, () => {
    throw new RangeError('second');
  });
  expect(await flowrra.getResult(id(5))).toMatchObject({ result: new Map([['k', new Set([1, 2])]]) });
  await clock.advance(120_000);
  expect((await flowrra.waitForResult(id(1))).result).toEqual({
    when: new Date('2030-01-01'),
    big: 12n,
    none: undefined,
  });
  expect((await flowrra.waitForResult('order-17')).result).toBe('later');
  expect(await flowrra.waitForResult(id(3))).toMatchObject({
    status: 'failed',
    retries: 1,
    errors: [{ message: 'first' }, { message: 'second' }],
  });
  expect((await flowrra.waitForResult(id(4))).result).toBe('a long text'.length);
  expect(await flowrra.pendingCount()).toBe(0);
  await app.close();
});

it('jobs of the first schema can be cancelled, found, retried and removed', async () => {
  const { app, flowrra } = await startApp({
    engine: sqliteEngine({ file: await fileOf(1) }),
    clock: new ManualClock(),
    role: 'producer',
  });
  expect(await flowrra.cancel('order-17')).toBe(true);
  const { jobs } = await flowrra.jobs.find({});
  expect(jobs.map(({ taskId, status }) => [taskId, status])).toEqual([
    [id(7), 'failed'],
    [id(5), 'success'],
    [id(4), 'running'],
    [id(3), 'retrying'],
    ['order-17', 'cancelled'],
    [id(1), 'pending'],
  ]);
  expect(await flowrra.jobs.get(id(5))).toMatchObject({ metadata: {}, progress: null, logs: [] });
  expect((await flowrra.jobs.find({ status: 'failed' })).jobs).toMatchObject([{ taskId: id(7) }]);
  expect(await flowrra.jobs.retryAll()).toBe(1);
  expect((await flowrra.jobs.find({ status: 'failed' })).jobs).toEqual([]);
  expect(await flowrra.jobs.remove(id(5))).toBe(true);
  expect(await flowrra.getResult(id(5))).toBeNull();
  await app.close();
});

it('jobs and results in a file of the second schema are read and run', async () => {
  const file = await fileOf(2);
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({
    engine: sqliteEngine({ file }),
    clock,
    queues: { paused: {}, limited: { fleetRateLimit: { max: 3, per: 10_000 } } },
  });
  flowrra.register({ name: 'echo' }, (value: unknown) => value);
  flowrra.register({ name: 'tick', queue: 'limited' }, () => 'ticked');
  expect(await flowrra.jobs.get(id(2))).toMatchObject({
    progress: { done: 3 },
    logs: [{ line: 'first line' }, { line: 'second line' }],
  });
  expect((await flowrra.jobs.get(id(1)))?.metadata).toEqual({ by: 'ada', at: new Date('2030-01-01') });
  const hourly = { dedupe: { key: 'hourly', ttl: '1h', mode: 'throttle' } } as const;
  expect(await flowrra.with(hourly).submit('echo', 'too soon')).toBe(`s00tag00000002r${'A'.repeat(23)}`);
  const latest = { dedupe: { key: 'latest', ttl: 500, mode: 'debounce' } } as const;
  expect(await flowrra.with(latest).submit('echo', 'the latest')).toBe(id(1));
  expect(await flowrra.jobs.retry(id(4))).toBe(true);
  const ticked = await flowrra.submit('tick');
  await clock.advance(8_000);
  expect(await flowrra.getResult(ticked)).toMatchObject({ status: 'pending' });
  await clock.advance(112_000);
  expect((await flowrra.waitForResult(id(1))).result).toBe('the latest');
  expect(await flowrra.waitForResult(id(2))).toMatchObject({ status: 'cancelled', error: 'not needed' });
  expect(await flowrra.waitForResult(id(4))).toMatchObject({
    result: 'again',
    errors: [{ message: 'first' }],
  });
  expect((await flowrra.waitForResult(ticked)).result).toBe('ticked');
  expect(await flowrra.queues.isPaused('paused')).toBe(true);
  expect(await flowrra.pendingCount()).toBe(1);
  await flowrra.queues.resume('paused');
  expect((await flowrra.waitForResult(id(3))).result).toBe('held back');
  await app.close();
});
