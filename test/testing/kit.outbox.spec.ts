import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import Sqlite from 'better-sqlite3';
import { FlowrraModule, FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { outbox } from '../../lib/outbox/index.js';
import { FlowrraTestingModule, type FlowrraTestingOptions } from '../../lib/testing/index.js';

@Injectable()
class Orders {
  readonly mailed: string[] = [];
  readonly booked: string[] = [];

  constructor(
    private readonly flowrra: FlowrraService,
    @Inject('DATABASE') private readonly database: Sqlite.Database,
  ) {}

  /** Submits in a transaction, which fails after that for an order without a name. */
  place(name: string): string {
    return this.database.transaction(() => {
      const id = this.flowrra.within(this.database).submitSync(this.mail, name);
      if (name === '') throw new Error('an order needs a name');
      return id;
    })();
  }

  @Task()
  mail(name: string): void {
    this.mailed.push(name);
  }

  @Task({ maxRetries: 1, retryDelay: '1m' })
  book(name: string, @TaskCtx() ctx: TaskContext): string {
    const booked = this.database.transaction(() =>
      ctx.onceSync(this.database, () => {
        this.booked.push(name);
        return `booked ${name}`;
      }),
    )();
    if (ctx.attempt === 1) throw new Error('after the commit');
    return booked;
  }
}

const open: Sqlite.Database[] = [];
afterEach(() => {
  for (const database of open.splice(0)) database.close();
});

async function start(database: Sqlite.Database, options?: FlowrraTestingOptions) {
  const builder = Test.createTestingModule({
    imports: [FlowrraModule.forRoot({ outbox: outbox({ database }) })],
    providers: [Orders, { provide: 'DATABASE', useValue: database }],
  });
  const module = await FlowrraTestingModule.override(builder, options).compile();
  await module.init();
  return { module, orders: module.get(Orders), flowrra: FlowrraTestingModule.of(module) };
}

function newDatabase(): Sqlite.Database {
  const database = new Sqlite(':memory:');
  open.push(database);
  return database;
}

it('without a database, a submission in a transaction is one outside of it', async () => {
  const transaction = { transaction: (fn: () => unknown) => () => fn() } as unknown as Sqlite.Database;
  const { module, orders, flowrra } = await start(transaction);
  const id = orders.place('ada');
  expect(flowrra.submitted()).toMatchObject([{ taskId: id, taskName: 'Orders.mail', args: ['ada'] }]);
  await flowrra.drain();
  expect(orders.mailed).toEqual(['ada']);
  expect(() => orders.place('')).toThrow('an order needs a name');
  expect(flowrra.submitted()).toHaveLength(2);
  expect(() => flowrra.within('no object' as never).submitSync('Orders.mail', 'x')).toThrow(/no transaction/);
  expect([await flowrra.outbox.stuck(), await flowrra.outbox.health()]).toEqual([
    [],
    { oldestMs: null, stuck: 0 },
  ]);
  await module.close();
});

it('without a database, a block takes effect once too', async () => {
  const transaction = { transaction: (fn: () => unknown) => () => fn() } as unknown as Sqlite.Database;
  const { module, orders, flowrra } = await start(transaction);
  const id = await flowrra.submit(orders.book, 'ada');
  await flowrra.drain();
  await flowrra.clock.advance('1m');
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 'booked ada', retries: 1 });
  expect(orders.booked).toEqual(['ada']);
  await module.close();
});

it('with useOutbox, drain() and clock.advance() hand on committed jobs, and no other ones', async () => {
  const { module, orders, flowrra } = await start(newDatabase(), { useOutbox: true });
  const id = orders.place('ada');
  expect(() => orders.place('')).toThrow('an order needs a name');
  expect(flowrra.submitted()).toEqual([]);
  expect((await flowrra.getResult(id))?.status).toBe('pending');
  await flowrra.drain();
  expect(flowrra.submitted().map(({ taskId }) => taskId)).toEqual([id]);
  orders.place('grace');
  await flowrra.clock.advance('1ms');
  expect(orders.mailed).toEqual(['ada', 'grace']);
  await module.close();
});

it('with useOutbox, a block takes effect once', async () => {
  const { module, orders, flowrra } = await start(newDatabase(), { useOutbox: true });
  const id = await flowrra.submit(orders.book, 'ada');
  await flowrra.drain();
  await flowrra.clock.advance('1m');
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 'booked ada', retries: 1 });
  expect(orders.booked).toEqual(['ada']);
  await module.close();
});
