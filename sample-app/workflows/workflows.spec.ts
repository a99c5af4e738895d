import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { FlowrraExceptionFilter, FlowrraModule } from 'flowrra';
import { flowrraMatchers, type FlowrraMatchers, FlowrraTestingModule } from 'flowrra/testing';
import request from 'supertest';
import { Mailer } from '../mail/mailer.js';
import { ExpensesModule, Services } from './expenses.js';
import { PaymentProvider } from './payment-provider.js';
import { again, operate, ParcelTasks } from './snippets.js';
import { Prices } from './prices.js';
import { PriceImportTasks } from './price-import.tasks.js';
import { WordCountTasks } from './word-count.tasks.js';
import { WorkflowsModule } from './workflows.module.js';

declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}

expect.extend(flowrraMatchers);

// #region start
async function start(...imports: object[]) {
  const builder = Test.createTestingModule({ imports: imports as [] });
  const module = await FlowrraTestingModule.override(builder, { replay: true }).compile();
  const app = module.createNestApplication({ logger: false });
  app.useGlobalFilters(new FlowrraExceptionFilter(app.getHttpAdapter()));
  await app.init();
  return { app, http: request(app.getHttpServer()), flowrra: FlowrraTestingModule.of(module) };
}
// #endregion

const expense = { employee: 'ada', amount: 12.5 };
const order = { id: 'R17', email: 'ada@example.com', amount: 30 };

async function startShop() {
  const { app, http, flowrra } = await start(FlowrraModule.forRoot(), WorkflowsModule);
  const mails: string[] = [];
  app.get(Mailer).send = async (to, subject) => {
    mails.push(`${to}: ${subject}`);
    return 'sent';
  };
  return { app, http, flowrra, mails, charges: app.get(PaymentProvider).charges };
}

it('pays an expense once it is approved', async () => {
  const { app, http, flowrra } = await start(ExpensesModule);
  const { taskId } = (await http.post('/expenses').send(expense).expect(201)).body;
  await flowrra.runUntilSuspended(taskId);
  await http.post(`/expenses/${taskId}/decision`).send({ approved: true, by: 'bob' }).expect(204);
  await flowrra.drain();
  expect(await flowrra.getResult(taskId)).toMatchObject({ result: 'paid' });
  await expect(flowrra).toHaveStep(taskId, 'pay', { status: 'done', result: `payment of ${taskId}/pay` });
  expect(app.get(Services).done).toEqual([
    `mail to boss: POST /expenses/${taskId}/decision`,
    'pay 12.5 to ada',
    `mail to ada: bob has approved it: payment of ${taskId}/pay`,
  ]);
  expect((await http.get(`/expenses/${taskId}`)).body).toHaveLength(4);
  await app.close();
});

it('reminds the boss after 3 days, and takes a late decision', async () => {
  const { app, http, flowrra } = await start(ExpensesModule);
  const { taskId } = (await http.post('/expenses').send(expense)).body;
  await flowrra.clock.advance('3d');
  await expect(flowrra).toHaveStep(taskId, 'remind');
  await expect(flowrra).toHaveStep(taskId, 'decision', { status: 'failed' });
  await expect(flowrra).toHaveStep(taskId, 'decision:1', { status: 'waiting' });
  await http.post(`/expenses/${taskId}/decision`).send({ approved: false, by: 'bob' }).expect(204);
  await flowrra.drain();
  await expect(flowrra).toHaveStep(taskId, 'decision:1', {
    status: 'done',
    result: { approved: false, by: 'bob' },
  });
  expect(await flowrra.getResult(taskId)).toMatchObject({ result: 'rejected' });
  await http.post(`/expenses/${taskId}/decision`).send({ approved: true, by: 'bob' }).expect(409);
  await app.close();
});

it('rejects an expense after 7 days', async () => {
  const { app, http, flowrra } = await start(ExpensesModule);
  const { taskId } = (await http.post('/expenses').send(expense)).body;
  await flowrra.clock.advance('7d');
  expect(await flowrra.getResult(taskId)).toMatchObject({ result: 'rejected' });
  expect(app.get(Services).done.at(-1)).toBe('mail to ada: the deadline has rejected it');
  await app.close();
});

it('ships an approved order the next day', async () => {
  const { app, http, flowrra, mails, charges } = await startShop();
  await http.post('/orders').send(order).expect(202);
  await http.post('/orders').send(order).expect(202);
  const [wait] = await flowrra.runUntilSuspended('order-R17');
  expect(wait).toMatchObject({ kind: 'waitFor', name: 'approval' });
  await http.post('/orders/R17/approval').send({ approved: true, by: 'bob' }).expect(204);
  const [pause] = await flowrra.runUntilSuspended('order-R17');
  expect(pause).toMatchObject({ kind: 'sleep' });
  await expect(flowrra).toHaveStep('order-R17', 'OrderTasks.printLabel', { result: 'label of R17' });
  await flowrra.clock.advance('1d');
  expect(await flowrra.getResult('order-R17')).toMatchObject({
    result: { charge: 'order-R17/charge', parcel: 'parcel with label of R17' },
  });
  expect([...charges]).toEqual([['order-R17/charge', { amount: 30, isRefunded: false }]]);
  expect(mails).toEqual(['ada@example.com: Your order R17']);
  await app.close();
});

it('refunds an order that is rejected', async () => {
  const { app, http, flowrra, charges } = await startShop();
  await http.post('/orders').send(order).expect(202);
  await http.post('/orders/R17/approval').send({ approved: false, by: 'bob' }).expect(204);
  await flowrra.drain();
  expect(await flowrra.getResult('order-R17')).toMatchObject({ error: expect.stringContaining('bob') });
  await expect(flowrra).toHaveStep('order-R17', 'charge', { status: 'undone' });
  expect([...charges.values()]).toEqual([{ amount: 30, isRefunded: true }]);
  await app.close();
});

it('refunds an order that is cancelled, at any time', async () => {
  const { app, http, flowrra, charges } = await startShop();
  await http.post('/orders').send(order).expect(202);
  await http.post('/orders/R17/approval').send({ approved: true, by: 'bob' }).expect(204);
  await flowrra.drain();
  await flowrra.clock.advance('23h');
  expect(await flowrra.cancel('order-R17', { reason: 'by the customer' })).toBe(true);
  await flowrra.drain();
  expect(await flowrra.getResult('order-R17')).toMatchObject({
    status: 'cancelled',
    error: 'by the customer',
  });
  expect([...charges.values()]).toEqual([{ amount: 30, isRefunded: true }]);
  await app.close();
});

it('refuses what is no order and no approval', async () => {
  const { app, http } = await startShop();
  await http
    .post('/orders')
    .send({ ...order, id: 'a b' })
    .expect(400);
  await http
    .post('/orders')
    .send({ ...order, email: 'nobody' })
    .expect(400);
  await http
    .post('/orders')
    .send({ ...order, amount: 0 })
    .expect(400);
  await http.post('/orders/R17/approval').send({ by: 'bob' }).expect(400);
  await http.post('/orders/R17/approval').send({ approved: true, by: 'bob' }).expect(404);
  await app.close();
});

it('does as the snippets of the documentation say', async () => {
  @Module({ imports: [FlowrraModule.forRoot()], providers: [ParcelTasks] })
  class ParcelsModule {}
  const { app, flowrra } = await start(ParcelsModule);
  const parcels = app.get(ParcelTasks);
  const results = async (...ids: string[]) =>
    Promise.all(ids.map(async (id) => (await flowrra.getResult(id))?.result ?? null));

  const followed = await flowrra.submit(parcels.follow, 'P1');
  await flowrra.clock.advance('2h');
  expect(await results(followed)).toEqual(['at home']);
  expect((await flowrra.steps(followed)).map(({ name }) => name)).toEqual([
    'look',
    'pause',
    'look:1',
    'pause:1',
    'look:2',
  ]);

  parcels.blocked.add('b');
  const [all, one] = [
    await flowrra.submit(parcels.packAll, ['a', 'c']),
    await flowrra.submit(parcels.packOr, 'b', 'c'),
  ];
  await flowrra.drain();
  expect(await results(all, one)).toEqual([['box of a', 'box of c'], 'box of c']);

  const asked = await flowrra.submit(parcels.ask, 'red?');
  await flowrra.signal(asked, 'withdrawal');
  await flowrra.drain();
  await flowrra.signal(asked, 'answer', 'yes');
  await flowrra.clock.advance('1h');
  expect(await results(asked)).toEqual(['no answer to red?']);
  await app.close();
});

it('lets operators look at jobs, signal them and retry them, as the documentation shows', async () => {
  const { app, http, flowrra } = await startShop();
  await http.post('/orders').send(order).expect(202);
  await flowrra.drain();
  const before = await operate(flowrra, 'order-R17');
  expect(before.job?.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'charge done',
    'approval done',
  ]);
  await flowrra.drain();
  const { children } = await operate(flowrra, 'order-R17');
  expect(children.map(({ taskName }) => taskName).toSorted()).toEqual([
    'OrderTasks.confirm',
    'OrderTasks.printLabel',
  ]);
  expect((await flowrra.steps('order-R17')).filter(({ kind }) => kind === 'waitFor')).toHaveLength(1);
  expect(await again(flowrra, 'order-R17')).toBe(false);
  await app.close();
});

describe('with files', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'flowrra-files-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('imports every price', async () => {
    const { app, flowrra } = await startShop();
    const file = join(folder, 'prices.csv');
    await writeFile(file, Array.from({ length: 2_500 }, (_, n) => `sku-${n},${n}\n`).join(''));
    const taskId = await flowrra.tasks(PriceImportTasks).import(file);
    await flowrra.drain();
    expect(await flowrra.getResult(taskId)).toMatchObject({ status: 'success', progress: { line: 2_500 } });
    await expect(flowrra).toHaveStep(taskId, 'rows', { kind: 'each', status: 'done' });
    expect(app.get(Prices).bySku.size).toBe(2_500);
    await app.close();
  });

  it('counts the words of 1,000 files', async () => {
    const { app, flowrra } = await startShop();
    const files = Array.from({ length: 1_000 }, (_, n) => join(folder, `${n}.txt`));
    await Promise.all(files.map((file, n) => writeFile(file, `one two ${n % 2 === 0 ? 'two' : 'three'}`)));
    const taskId = await flowrra.tasks(WordCountTasks).ofFolder(folder);
    await flowrra.drain();
    expect(await flowrra.getResult(taskId)).toMatchObject({ result: { one: 1_000, two: 1_500, three: 500 } });
    expect(flowrra.submitted(WordCountTasks, 'ofFile')).toHaveLength(1_000);
    await app.close();
  });
});
