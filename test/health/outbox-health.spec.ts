import Database from 'better-sqlite3';
import type { INestApplicationContext } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { FlowrraHealthIndicator, type FlowrraHealthOptions } from '../../lib/health/index.js';
import type { FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';
import { outbox, type SqlConnection } from '../../lib/outbox/index.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

interface Checked {
  readonly flowrra: FlowrraService;
  check(options?: FlowrraHealthOptions): Promise<Record<string, unknown>>;
}

async function start(options: FlowrraModuleOptions): Promise<Checked> {
  const { app, flowrra } = await startApp(options, {
    imports: [TerminusModule.forRoot({ logger: false })],
    providers: [FlowrraHealthIndicator],
  });
  open.push(app);
  flowrra.register({ name: 'work' }, () => undefined);
  const indicator = app.get(FlowrraHealthIndicator);
  return { flowrra, check: async (limits) => (await indicator.isHealthy('tasks', limits)).tasks };
}

it('tells the age of the oldest job in the outbox, and is down if it is above maxOutboxAge', async () => {
  const database = new Database(':memory:');
  const { flowrra, check } = await start({ outbox: outbox({ database, relay: false }) });
  expect(await check({ maxOutboxAge: 0, maxOutboxStuck: 0 })).toMatchObject({
    status: 'up',
    outboxOldestMs: null,
    outboxStuck: 0,
  });
  database.transaction(() => flowrra.within(database).submitSync('work'))();
  // The age counts by the clock of the database.
  database.exec('UPDATE flowrra_outbox SET created_at = created_at - 60000');
  const { outboxOldestMs } = await check({ maxOutboxAge: '1h' });
  expect(outboxOldestMs).toBeGreaterThanOrEqual(60_000);
  expect(await check({ maxOutboxAge: '30s' })).toMatchObject({
    status: 'down',
    message: expect.stringMatching(
      /^a job has waited in the outbox for 6\d{4} ms \(maxOutboxAge is 30000\)$/,
    ),
  });
  await flowrra.outbox.relay();
  expect(await check({ maxOutboxAge: '30s' })).toMatchObject({ status: 'up', outboxOldestMs: null });
});

it('is down if more jobs are stuck in the outbox than maxOutboxStuck', async () => {
  const database = new Database(':memory:');
  const { flowrra, check } = await start({ outbox: outbox({ database, relay: false }) });
  const taskId = database.transaction(() => flowrra.within(database).submitSync('work'))();
  database.exec("UPDATE flowrra_outbox SET status = 'stuck'");
  expect(await check()).toMatchObject({ status: 'up', outboxOldestMs: null, outboxStuck: 1 });
  expect(await check({ maxOutboxStuck: 1 })).toMatchObject({ status: 'up' });
  expect(await check({ maxOutboxStuck: 0 })).toMatchObject({
    status: 'down',
    outboxStuck: 1,
    message: '1 jobs are stuck in the outbox (maxOutboxStuck is 0)',
  });
  await flowrra.outbox.remove(taskId);
  expect(await check({ maxOutboxStuck: 0 })).toMatchObject({ status: 'up', outboxStuck: 0 });
});

it('is down within its timeout if the database does not answer, and does not ask it a second time', async () => {
  const clock = new ManualClock();
  const database = new Database(':memory:');
  let isSilent = false;
  let asked = 0;
  const connection: SqlConnection = {
    dialect: 'sqlite',
    async run(sql, values) {
      if (isSilent) {
        asked++;
        return new Promise<never>(() => undefined);
      }
      const statement = database.prepare(sql);
      if (statement.reader) return statement.all(...values) as Record<string, unknown>[];
      statement.run(...values);
      return [];
    },
  };
  const { check } = await start({ clock, outbox: outbox({ database: connection, relay: false }) });
  expect(await check()).toMatchObject({ status: 'up' });
  isSilent = true;
  const first = check();
  const second = check({ timeout: '2s' });
  await clock.advance(1_000);
  expect(await first).toMatchObject({ status: 'down', message: 'Flowrra: no answer within 1000 ms' });
  await clock.advance(1_000);
  expect(await second).toMatchObject({ status: 'down' });
  expect(asked).toBe(1);
  await clock.advance(10_000);
});

it('has no numbers of an outbox without one, and is down if it is to check them', async () => {
  const { check } = await start({});
  expect(Object.keys(await check()).filter((name) => name.startsWith('outbox'))).toEqual([]);
  for (const limits of [{ maxOutboxAge: '1m' }, { maxOutboxStuck: 0 }] as const)
    expect(await check(limits)).toMatchObject({
      status: 'down',
      message: expect.stringMatching(/there is no outbox/),
    });
});
