import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DynamicModule, type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService, Task } from 'flowrra';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { AudioService, AudioTasks } from '../../sample-app/audio.js';
import {
  Bank,
  batch,
  InvoiceTasks,
  limited,
  operate,
  Operations,
  PaymentTasks,
  refundAll,
  RefundTasks,
  unique,
} from '../../sample-app/control.js';
import {
  configured,
  engines,
  idempotent,
  ReceiptTasks,
  registered,
  results,
  Settings,
  SettingsModule,
  submitting,
} from '../../sample-app/snippets.js';
import { Database, Orders } from '../../sample-app/orders.js';
import { carryTenant, tenant } from '../../sample-app/tenant.js';
import { startApp } from '../support/app.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { everything } from './documents.js';

const apps: INestApplicationContext[] = [];

function opened<T extends INestApplicationContext>(app: T): T {
  apps.push(app);
  return app;
}

// Here, so that a test which fails leaves nothing open behind it.
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

it('controls as it shows', async () => {
  const clock = new ManualClock();
  @Module({ imports: [limited()], providers: [InvoiceTasks, Operations] })
  class LimitedModule {}

  const bank = opened(await NestFactory.createApplicationContext(LimitedModule, { logger: false }));
  const failed = await bank.get(FlowrraService).submit('InvoiceTasks.book', 'order-9');
  await bank.get(FlowrraService).waitForResult(failed);
  await until(() => bank.get(Operations).letters.length > 0, { describe: 'the dead letter arrives' });
  expect(bank.get(Operations).letters).toMatchObject([{ taskId: failed, args: ['order-9'] }]);

  const { app, flowrra } = await startApp(
    { clock, queues: { invoices: {} } },
    { providers: [InvoiceTasks, RefundTasks] },
  );
  opened(app);
  const invoices = app.get(InvoiceTasks);
  const [once] = await unique(flowrra, invoices);
  const [refunded] = await refundAll(flowrra, app.get(RefundTasks));
  expect(refunded?.tags).toEqual(['refund', 'customer:17', 'recall-2026']);
  expect(await batch(flowrra, invoices)).toHaveLength(3);
  await clock.advance(10_000);
  expect([...invoices.done].sort()).toEqual(['b', 'c', 'order-1', 'order-1', 'order-2']);
  expect((await flowrra.jobs.get(once as string))?.logs).toMatchObject([{ line: 'invoice of order-1' }]);
  const booked = await flowrra.submit(invoices.book, 'order-9');
  await flowrra.waitForResult(booked);
  expect(await operate(flowrra, booked)).toMatchObject({
    jobs: [{ taskId: booked, error: 'Error: no account for order-9' }],
    cursor: null,
    details: { args: ['order-9'] },
  });
});

it('steers its retries as it shows', async () => {
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ clock }, { providers: [Bank, PaymentTasks] });
  opened(app);
  const pay = async (...answers: string[]) => {
    app.get(Bank).answers = answers;
    return flowrra.tasks(PaymentTasks).pay('ada');
  };
  const fatal = await flowrra.waitForResult(await pay('no such account'));
  expect(fatal).toMatchObject({ status: 'failed', retries: 0 });

  const id = await pay('too many requests', 'closed for the night', 'timeout', 'timeout');
  const { answers } = app.get(Bank);
  await until(() => answers.length === 3, { describe: 'the first attempt has asked the bank' });
  for (const [index, pause] of [30_000, 3_600_000, 4_000, 8_000].entries()) {
    await settle();
    await clock.advance(pause - 1);
    expect(answers).toHaveLength(3 - index);
    await clock.advance(1);
  }
  expect(await flowrra.waitForResult(id)).toMatchObject({ result: 'paid', retries: 3 });
});

it('carries a tenant along, as it shows', async () => {
  @Injectable()
  class Whose {
    @Task()
    tenant(): string | undefined {
      return tenant.getStore();
    }
  }
  const { app, flowrra } = await startApp({ context: carryTenant }, { providers: [Whose] });
  opened(app);
  const ids = [
    await tenant.run('ada', () => flowrra.submit('Whose.tenant')),
    await flowrra.submit('Whose.tenant'),
  ];
  const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
  expect(results.map(({ result }) => result)).toEqual(['ada', undefined]);
});

it('starts quickly, as the quick start says', async () => {
  // Read when the file is loaded: a free port.
  process.env['PORT'] = '0';
  const quickStart = await import('../../sample-app/quick-start.js');
  const app = opened(await quickStart.app);
  delete process.env['PORT'];
  const url = (await app.getUrl()).replace('[::1]', 'localhost');
  const { taskId } = (await (await fetch(`${url}/users/ada`, { method: 'POST' })).json()) as {
    taskId: string;
  };
  const { result } = await app.get(FlowrraService).waitForResult(taskId);
  expect(result).toEqual({ messageId: '42' });
  expect((await fetch(`${url}/tasks/nobody-knows-it`)).status).toBe(404);
  expect(await (await fetch(`${url}/tasks/${taskId}`)).json()).toMatchObject({
    status: 'success',
    isSuccess: true,
  });
});

it('configures as it shows', async () => {
  @Module({ imports: [SettingsModule, configured()] })
  class ConfiguredModule {}

  const app = opened(await NestFactory.createApplicationContext(ConfiguredModule, { logger: false }));
  const flowrra = app.get(FlowrraService);
  let running = 0;
  let most = 0;
  flowrra.register({ name: 'count' }, async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
  });
  for (const id of await flowrra.submitMany('count', [[], [], [], []])) await flowrra.waitForResult(id);
  expect(most).toBe(app.get(Settings).workers);
});

it('runs what it shows of submitting and of results', async () => {
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ clock }, { providers: [ReceiptTasks] });
  opened(app);
  const receipts = app.get(ReceiptTasks);
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await submitting(flowrra, receipts)).toHaveLength(3);
  expect((await flowrra.waitForResult(await registered(flowrra))).result).toBe('./uploads is tidy');
  expect(await results(flowrra, receipts)).toEqual({ sentAt: expect.any(Date) });
  await clock.advance(300_000);
  expect([...receipts.sent].sort()).toEqual([
    'order-1',
    'order-2',
    'order-3',
    'order-4',
    'order-42',
    'order-5',
    'order-6',
    'order-7',
  ]);
});

it('submits after the commit, as it shows, since a job inside of a transaction outlives its rollback', async () => {
  const { app, flowrra } = await startApp({}, { providers: [ReceiptTasks, Database, Orders] });
  opened(app);
  const [orders, database, { sent }] = [app.get(Orders), app.get(Database), app.get(ReceiptTasks)];
  await flowrra.waitForResult(await orders.place('order-1'));
  expect([database.orders, sent]).toEqual([['order-1'], ['order-1']]);
  await expect(orders.place('order-1')).rejects.toThrow('duplicate key');
  expect((await flowrra.jobs.find({})).jobs).toHaveLength(1);

  let inside = '';
  const rolledBack = database.transaction(async (insert) => {
    insert('order-2');
    inside = await flowrra.tasks(ReceiptTasks).sendReceipt('order-2');
    throw new Error('rolled back');
  });
  await expect(rolledBack).rejects.toThrow('rolled back');
  await flowrra.waitForResult(inside);
  expect([database.orders, sent]).toEqual([['order-1'], ['order-1', 'order-2']]);
});

it('blocks a queue whose jobs all wait for further jobs of it, as it warns', async () => {
  const { app, flowrra } = await startApp({ numWorkers: 1, queues: { inner: {} } });
  opened(app);
  const stop = new AbortController();
  const { signal } = stop;
  for (const queue of ['default', 'inner']) flowrra.register({ name: `in ${queue}`, queue }, () => queue);
  flowrra.register({ name: 'waits', maxRetries: 0 }, async (queue: string) => {
    const id = await flowrra.submit(`in ${queue}`);
    return [id, (await flowrra.waitForResult(id, { signal }).catch(() => null))?.result];
  });
  const fine = await flowrra.waitForResult<unknown[]>(await flowrra.submit('waits', 'inner'));
  expect(fine.result?.[1]).toBe('inner');

  const blocked = await flowrra.submit('waits', 'default');
  while ((await flowrra.pendingCount()) === 0) await new Promise(setImmediate);
  await settle();
  expect(await flowrra.getResult(blocked)).toMatchObject({ status: 'running' });
  stop.abort();
  const [id, result] = (await flowrra.waitForResult<unknown[]>(blocked)).result as unknown[];
  expect(result).toBeUndefined();
  expect((await flowrra.waitForResult(id as string)).result).toBe('default');
});

describe('keeping jobs in a file', () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-readme-'));
  beforeAll(() => {
    process.chdir(folder);
    mkdirSync('data');
  });
  afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes one line', async () => {
    const [memory, sqlite, ...shared] = engines();
    // Nothing answers at the usual ports; the same URLs are served below.
    expect(shared).toHaveLength(2);
    for (const module of [memory, sqlite] as DynamicModule[]) {
      @Module({ imports: [module], providers: [ReceiptTasks] })
      class EngineModule {}
      const app = opened(await NestFactory.createApplicationContext(EngineModule, { logger: false }));
      const flowrra = app.get(FlowrraService);
      const id = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');
      expect((await flowrra.waitForResult(id)).status).toBe('success');
    }
  });

  it('and the file answers the questions that are shown', async () => {
    const { durable } = await import('../../sample-app/durable.js');
    @Module({ imports: [durable] })
    class DurableModule {}
    const app = opened(await NestFactory.createApplicationContext(DurableModule, { logger: false }));
    const flowrra = app.get(FlowrraService);
    flowrra.register({ name: 'fails', maxRetries: 0 }, () => {
      throw new Error('as expected');
    });
    const id = await flowrra.submit('fails');
    await flowrra.waitForResult(id);
    const database = (await loadDriver('auto')).open('tasks.db');
    const [counts, failed] = (/```sql\n(.*?)```/s.exec(everything)?.[1] ?? '')
      .split(';')
      .map((sql) => sql.trim())
      .filter((sql) => sql !== '')
      .map((sql) => database.prepare(sql).all());
    const schema = database
      .prepare<{ sql: string }>(`SELECT sql FROM sqlite_schema WHERE name = 'jobs'`)
      .get();
    database.close();
    expect(counts).toContainEqual({ queue: 'default', status: 'failed', jobs: 1 });
    expect(failed?.map((row) => row['task_id'])).toEqual([id]);
    expect(schema?.sql).toMatch(/place .* -- its position among waiting jobs/);
  });
});

it('moves from another library as it shows', async () => {
  const { app, flowrra } = await startApp(
    { queues: { audio: {} } },
    { providers: [AudioTasks, AudioService] },
  );
  opened(app);
  const result = await flowrra.waitForResult(await app.get(AudioService).convert('talk.wav'));
  expect(result).toMatchObject({ taskName: 'AudioTasks.transcode', result: { file: 'talk.mp3' } });
});
