import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  ExecutorNotRunningError,
  type FlowrraModuleOptions,
  FlowrraService,
  QueueFullError,
  Task,
} from '../../lib/index.js';
import { FlowrraTesting, FlowrraTestingModule, type TestMode } from '../../lib/testing/index.js';

@Injectable()
class Bank {
  readonly booked: unknown[] = [];

  constructor(private readonly flowrra: FlowrraService) {}

  @Task({ queue: 'bank' })
  book(entry: unknown): void {
    this.booked.push(entry);
  }

  @Task({ queue: 'bank' })
  async bookTwice(entry: string): Promise<void> {
    await this.flowrra.submit(this.book, `${entry} again`);
    this.booked.push(entry);
  }

  @Task({ queue: 'bank', retryDelay: 0 })
  refuse(): void {
    this.booked.push('refused');
    throw new Error('no');
  }

  @Task({ queue: 'slow' })
  hang(): Promise<void> {
    return new Promise(() => {});
  }
}

type Queues = NonNullable<Parameters<typeof FlowrraTestingModule.forRoot>[0]>['queues'];

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});

async function start(bank: NonNullable<Queues>[string], mode?: TestMode) {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ queues: { bank, slow: {} }, ...(mode && { mode }) })],
    providers: [Bank],
  }).compile();
  open.push(module);
  await module.init();
  return { flowrra: module.get(FlowrraTesting), bank: module.get(Bank) };
}

describe.each(['rateLimit', 'fleetRateLimit'] as const)('%s', (limit) => {
  it('lets so many start in its time, as the clock moves', async () => {
    const { flowrra, bank } = await start({ concurrency: 10, [limit]: { max: 2, per: '1m' } });
    await flowrra.submitMany(bank.book, [[1], [2], [3], [4], [5]]);
    await flowrra.drain();
    expect(bank.booked).toEqual([1, 2]);
    await flowrra.clock.advance('59s');
    expect(bank.booked).toEqual([1, 2]);
    await flowrra.clock.advance('5m');
    expect(bank.booked).toEqual([1, 2, 3, 4, 5]);
    const finished = await Promise.all(
      flowrra.submitted().map(async ({ taskId }) => (await flowrra.getResult(taskId))?.finishedAt?.getTime()),
    );
    const [first = 0] = finished;
    expect(finished.map((at = 0) => at - first)).toEqual([0, 0, 60_000, 60_000, 120_000]);
  });
});

it('a queue that is full does not hide when another one comes due', async () => {
  const { flowrra, bank } = await start({});
  await flowrra.submitMany(bank.hang, [[], []]);
  const id = await flowrra.with({ delay: '1m' }).submit(bank.book, 1);
  const begun = flowrra.clock.now();
  await flowrra.clock.advance('10m');
  expect((await flowrra.getResult(id))?.startedAt?.getTime()).toBe(begun + 60_000);
});

it('inline, no limit keeps a job from running inside of its submit', async () => {
  const limits = { concurrency: 1, fleetConcurrency: 1, rateLimit: { max: 1, per: '1m' } } as const;
  const { flowrra, bank } = await start({ ...limits, fleetRateLimit: limits.rateLimit }, 'inline');
  await flowrra.submit(bank.bookTwice, 'rent');
  await flowrra.submit(bank.book, 'gas');
  expect(bank.booked).toEqual(['rent again', 'rent', 'gas']);
});

it('inline, a job that has failed does not come back inside of another submit', async () => {
  const { flowrra, bank } = await start({}, 'inline');
  await expect(flowrra.submit(bank.refuse)).rejects.toThrow('no');
  await flowrra.clock.advance('1h');
  await flowrra.submit(bank.book, 'gas');
  expect(bank.booked).toEqual(['refused', 'gas']);
});

it('a debounced job is shown, and run, with what the last call gave it', async () => {
  const { flowrra, bank } = await start({});
  const dedupe = { key: 'rent', mode: 'debounce', ttl: '10s' } as const;
  const id = await flowrra.with({ dedupe, priority: 3, metadata: { by: 'ada' } }).submit(bank.book, 'first');
  await flowrra.with({ dedupe, metadata: { by: 'bob' } }).submit(bank.book, 'last');
  const shown = { taskId: id, args: ['last'], priority: 3, metadata: { by: 'bob' } };
  expect(flowrra.submitted(Bank, 'book')).toMatchObject([shown]);
  expect(await flowrra.jobs.get(id)).toMatchObject({ args: ['last'], priority: 3, metadata: { by: 'bob' } });
  flowrra.clearSubmitted();
  await flowrra.with({ dedupe }).submit(bank.book, 'later still');
  expect(flowrra.submitted()).toMatchObject([{ taskId: id, args: ['later still'] }]);
  await flowrra.clock.advance('10s');
  expect(bank.booked).toEqual(['later still']);
});

describe('maxPending', () => {
  async function bounded(options: FlowrraModuleOptions, mode?: TestMode) {
    const module = await Test.createTestingModule({
      imports: [
        FlowrraTestingModule.forRoot({ queues: { bank: {}, slow: {} }, ...options, ...(mode && { mode }) }),
      ],
      providers: [Bank],
    }).compile();
    open.push(module);
    await module.init();
    return { flowrra: module.get(FlowrraTesting), bank: module.get(Bank) };
  }

  it('holds a submission back until there is room', async () => {
    const { flowrra, bank } = await bounded({ maxPending: 1 });
    await flowrra.submit(bank.book, 1);
    let accepted = false;
    const second = flowrra.submit(bank.book, 2).then(() => (accepted = true));
    const third = flowrra.submit(bank.book, 3);
    await new Promise((resolve) => setImmediate(resolve));
    expect(accepted).toBe(false);
    expect(flowrra.submitted()).toHaveLength(1);
    await flowrra.drain();
    await Promise.all([second, third]);
    expect(bank.booked).toEqual([1, 2, 3]);
  });

  it("rejects with whenFull: 'reject', until jobs have run", async () => {
    const { flowrra, bank } = await bounded({ maxPending: 2, whenFull: 'reject' });
    await flowrra.submitMany(bank.book, [[1], [2]]);
    await expect(flowrra.submit(bank.book, 3)).rejects.toThrow(QueueFullError);
    await expect(flowrra.submitMany(bank.book, [[1], [2], [3]])).rejects.toThrow(/can never fit/);
    await flowrra.drain();
    await flowrra.submit(bank.book, 3);
    await flowrra.drain();
    expect(bank.booked).toEqual([1, 2, 3]);
  });

  it('does not hold back what a running task submits', async () => {
    const { flowrra, bank } = await bounded({ maxPending: 1 });
    await flowrra.submit(bank.bookTwice, 'rent');
    await flowrra.drain();
    expect(bank.booked).toEqual(['rent', 'rent again']);
  });

  it("in mode 'fake', where nothing makes room, rejects; in mode 'inline', holds nothing back", async () => {
    const fake = await bounded({ maxPending: 1 }, 'fake');
    await fake.flowrra.submit(fake.bank.book, 1);
    await expect(fake.flowrra.submit(fake.bank.book, 2)).rejects.toThrow(QueueFullError);
    const inline = await bounded({ maxPending: 1 }, 'inline');
    await inline.flowrra.submitMany(inline.bank.book, [[1], [2], [3]]);
    expect(inline.bank.booked).toEqual([1, 2, 3]);
  });

  it('what waits when the test ends is refused', async () => {
    const { flowrra, bank } = await bounded({ maxPending: 1 });
    await flowrra.submit(bank.book, 1);
    const waiting = flowrra.submit(bank.book, 2);
    const refused = expect(waiting).rejects.toThrow(ExecutorNotRunningError);
    await new Promise((resolve) => setImmediate(resolve));
    await open.pop()?.close();
    await refused;
  });
});
