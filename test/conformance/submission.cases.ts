import { Injectable } from '@nestjs/common';
import { FlowrraConfigError, PayloadError, Task, TaskNotFoundError } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, types } from './engine-under-test.js';
import { startMixed } from './mixed-tasks.js';

@Injectable()
class Sums {
  runs = 0;

  @Task()
  async add(a: number, b = 10): Promise<number> {
    this.runs++;
    return a + b;
  }

  @Task({ name: 'sums/all' })
  all(...numbers: number[]): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }
}

export function submissionCases(beds: Beds): void {
  it('runs a task submitted by its method, its name, its class, and with options', async () => {
    const { flowrra, app } = await beds.start([Sums]);
    const sums = app.get(Sums);
    const ids = [
      await flowrra.submit(sums.add, 1, 2),
      await flowrra.submit('Sums.add', 1, 2),
      await flowrra.tasks(Sums).add(1, 2),
      await flowrra.with({ priority: 3 }).submit(sums.add, 1, 2),
      await flowrra.with({ priority: 3 }).tasks(Sums).add(1, 2),
    ];
    for (const id of ids) expect((await flowrra.waitForResult(id)).result).toBe(3);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('leaves a default to the task when its argument is left out, and passes rest arguments', async () => {
    const { flowrra } = await beds.start([Sums]);
    expect((await flowrra.waitForResult(await flowrra.tasks(Sums).add(1))).result).toBe(11);
    expect((await flowrra.waitForResult(await flowrra.submit('sums/all', 1, 2, 3))).result).toBe(6);
    expect((await flowrra.waitForResult(await flowrra.submit('sums/all'))).result).toBe(0);
  });

  it('generates ids that are unguessable flat strings, without a colon and not of digits alone', async () => {
    const { flowrra, app } = await beds.start([Sums]);
    const ids = await flowrra.submitMany(
      app.get(Sums).add,
      Array.from({ length: 500 }, (_, n) => [n]),
    );
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) {
      expect(id).not.toMatch(/:|^\d+$/);
      expect(id.length).toBeGreaterThanOrEqual(22);
    }
    const tails = ids.map((id) => id.slice(-22));
    expect(new Set(tails).size).toBe(500);
  });

  it('submits many in one go, ids in the order of the arguments', async () => {
    const { flowrra, app } = await beds.start([Sums]);
    const ids = await flowrra.with({ priority: 2 }).submitMany(app.get(Sums).add, [
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(results.map(({ result }) => result)).toEqual([2, 4, 6]);
    expect(await flowrra.submitMany(app.get(Sums).add, [])).toEqual([]);
  });

  it('runs jobs of queues and tasks that are called like what every object inherits', async () => {
    const names = ['toString', 'constructor', 'valueOf', 'hasOwnProperty', '__proto__'];
    const queues = Object.fromEntries(names.map((name) => [name, {}]));
    const tasks = Object.fromEntries(names.map((name) => [name, { maxRetries: 1 }]));
    @Injectable()
    class Named {
      @Task({ name: 'toString', queue: 'toString' })
      a(): void {}
      @Task({ name: 'constructor', queue: 'constructor' })
      b(): void {}
      @Task({ name: 'valueOf', queue: 'valueOf' })
      c(): void {}
      @Task({ name: 'hasOwnProperty', queue: 'hasOwnProperty' })
      d(): void {}
      @Task({ name: '__proto__', queue: '__proto__' })
      e(): void {}
    }
    const { flowrra } = await beds.start([Named], { queues, tasks });
    const metadata = JSON.parse('{ "__proto__": 1, "toString": 2 }') as Record<string, unknown>;
    for (const name of names) {
      const id = await flowrra.with({ metadata, taskId: `id-${name}` }).submit(name);
      expect((await flowrra.waitForResult(id)).status).toBe('success');
      const job = await flowrra.jobs.get(id);
      // As entries, since a matcher may pass over a key `__proto__`; PostgreSQL orders keys by itself.
      expect(new Map(Object.entries(job?.metadata ?? {}))).toEqual(new Map(Object.entries(metadata)));
    }
    const counts = await flowrra.jobs.counts();
    for (const name of names) {
      expect(counts.find(({ queue }) => queue === name)).toMatchObject({ success: 1, pending: 0 });
      await flowrra.queues.pause(name);
      expect(await flowrra.queues.isPaused(name)).toBe(true);
    }
  });

  it('takes a task id of the caller, and submits the same id only once', async () => {
    const { flowrra, app } = await beds.start([Sums]);
    const sums = app.get(Sums);
    const once = flowrra.with({ taskId: 'order-42' });
    const [first, second] = await Promise.all([once.submit(sums.add, 1, 1), once.submit(sums.add, 1, 1)]);
    expect([first, second]).toEqual(['order-42', 'order-42']);
    expect((await flowrra.waitForResult('order-42')).result).toBe(2);
    expect(await once.submit(sums.add, 5, 5)).toBe('order-42');
    expect((await flowrra.waitForResult('order-42')).result).toBe(2);
    expect(sums.runs).toBe(1);
  });

  it('submitting with the id of a job that is known submits nothing, whoever made the id', async () => {
    const { flowrra, seen } = await beds.start([Sums]);
    const id = await flowrra.tasks(Sums).add(1);
    await flowrra.waitForResult(id);
    expect(await flowrra.with({ taskId: id }).submit('Sums.add', 2)).toBe(id);
    expect((await flowrra.waitForResult(id)).result).toBe(11);
    expect(await flowrra.pendingCount()).toBe(0);
    expect(seen.filter(({ type }) => type === 'started')).toHaveLength(1);
  });

  it.each(['', 'a:b', '123', 'x'.repeat(256), 'events', 'id', 'completed', 'wait', 'meta', 'a\nb'])(
    'refuses the task id %j',
    async (taskId) => {
      const { flowrra } = await beds.start([Sums]);
      expect(() => flowrra.with({ taskId })).toThrow(FlowrraConfigError);
    },
  );

  it('refuses a task that nobody knows, and says which are known', async () => {
    const { flowrra } = await beds.start([Sums]);
    await expect(flowrra.submit('Sums.sub', 1)).rejects.toThrow(TaskNotFoundError);
    await expect(flowrra.submit('Sums.sub', 1)).rejects.toThrow(/Sums\.add/);
    await expect(flowrra.submit((n: number) => n, 1)).rejects.toThrow(TaskNotFoundError);
    await expect(flowrra.submit(undefined as never)).rejects.toThrow(TaskNotFoundError);
  });

  it('refuses what is no list of arguments, and what is no id', async () => {
    const { flowrra, app, seen } = await beds.start([Sums]);
    const { add } = app.get(Sums);
    for (const list of [[1], 'ab', undefined]) {
      await expect(flowrra.submitMany(add, list as never)).rejects.toThrow(/submitMany.*array of jobs/);
    }
    const sparse: number[][] = [[1]];
    sparse[2] = [3];
    // oxlint-disable-next-line unicorn/no-new-array -- holes are the point
    for (const list of [new Array(3), sparse, [[1], null], [[1], { args: 1 }], null, { length: 1, 0: [1] }]) {
      const refused = flowrra.submitMany(add, list as never);
      await expect(refused).rejects.toThrow(/submitMany: (the second argument|job \d), .* is not valid/);
      await expect(refused).rejects.toThrow(FlowrraConfigError);
    }
    expect(await flowrra.pendingCount()).toBe(0);
    expect(seen.filter(({ type }) => type === 'submitted')).toEqual([]);
    const forgotten = flowrra.submit(add, 1);
    await expect(flowrra.waitForResult(forgotten as never)).rejects.toThrow(/taskId.*await/);
    await expect(flowrra.getResult(undefined as never)).rejects.toThrow(FlowrraConfigError);
    await forgotten;
  });

  it.each([
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['an array', [1]],
    ['a Date', new Date(0)],
    ['an Error', new Error('x')],
    ['a Buffer', Buffer.from('x')],
    ['text', 'x'],
    ['null', null],
  ])('refuses metadata that is %s, by every way to give it', async (_what, metadata) => {
    const { flowrra, app } = await beds.start([Sums]);
    const { add } = app.get(Sums);
    expect(() => flowrra.with({ metadata: metadata as never })).toThrow(/metadata: .*plain object/);
    const many = flowrra.submitMany(add, [[1], { args: [2], metadata: metadata as never }]);
    await expect(many).rejects.toThrow(/metadata: .*plain object/);
    expect(await flowrra.pendingCount()).toBe(0);
    expect((await flowrra.jobs.find()).jobs).toEqual([]);
  });

  it('takes metadata as it travels: an object that becomes another one, and none that becomes none', async () => {
    const { flowrra, app } = await beds.start([Sums], {
      context: { capture: () => ({ tenant: 7 }), run: (_context, next) => next() },
    });
    const { add } = app.get(Sums);
    const becomes = (form: unknown) => ({ metadata: { toJSON: () => form } });
    for (const form of [5, null, 'x', [1], new Map()]) {
      await expect(flowrra.with(becomes(form)).submit(add, 1)).rejects.toThrow(PayloadError);
      await expect(flowrra.submitMany(add, [{ args: [1], ...becomes(form) }])).rejects.toThrow(PayloadError);
    }
    const id = await flowrra.with(becomes({ by: 'ada' })).submit(add, 1);
    expect((await flowrra.waitForResult(id)).result).toBe(11);
    expect(await flowrra.jobs.get(id)).toMatchObject({ metadata: { by: 'ada' }, unreadable: [] });
    expect((await flowrra.jobs.find()).jobs).toHaveLength(1);
  });

  it('runs a plain function that was registered, by itself and by its name', async () => {
    const { flowrra } = await beds.start([]);
    const double = (n: number): number => 2 * n;
    flowrra.register({ name: 'double' }, double);
    expect((await flowrra.waitForResult(await flowrra.submit(double, 4))).result).toBe(8);
    expect((await flowrra.waitForResult(await flowrra.submit('double', 5))).result).toBe(10);
  });

  it('puts off a job of a task that no worker knows yet, without burning an attempt', async () => {
    const { flowrra, advance, seen } = await beds.start([], { remoteTasks: { 'later.task': {} } });
    const id = await flowrra.submit('later.task', 3);
    await advance(1_000);
    expect((await flowrra.getResult(id))?.status).toBe('pending');
    flowrra.register({ name: 'later.task', maxRetries: 0 }, (n: number) => n * n);
    await advance(60_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 9, retries: 0 });
    expect(types(seen, id)).toEqual(
      expect.arrayContaining(['submitted', 'released', 'started', 'succeeded']),
    );
  });

  it('tells what happens to a job, in order, to every subscriber but one that throws', async () => {
    const { flowrra, app, seen } = await beds.start([Sums]);
    flowrra.events$.subscribe(() => {
      throw new Error('a subscriber of a test that throws');
    });
    const heard: string[] = [];
    flowrra.events$.subscribe(({ type }) => heard.push(type));
    const id = await flowrra.submit(app.get(Sums).add, 1);
    await flowrra.waitForResult(id);
    // It may start before its submitter hears that it is accepted.
    expect(types(seen, id)).toContain('submitted');
    expect(types(seen, id).filter((type) => type !== 'submitted')).toEqual(['started', 'succeeded']);
    expect(heard).toEqual(types(seen, id));
  });

  it('counts what waits, and not what runs', async () => {
    const gate = new Gate();
    const { flowrra, advance } = await beds.start([], { numWorkers: 1 });
    flowrra.register({ name: 'hold' }, () => gate.passed);
    const ids = [
      await flowrra.submit('hold'),
      await flowrra.submit('hold'),
      await flowrra.with({ delay: '1h' }).submit('hold'),
    ];
    await advance(0);
    expect(await flowrra.pendingCount()).toBe(2);
    gate.open();
    await flowrra.waitForResult(ids[1] as string);
    expect(await flowrra.pendingCount()).toBe(1);
  });

  it('a batch takes options for each job, and none of it if one cannot be accepted', async () => {
    const bed = await startMixed(beds, { numWorkers: 1 });
    const { flowrra, mixed, advance } = bed;
    const ids = await flowrra
      .with({ priority: 5, delay: '1m' })
      .submitMany(mixed.fine, [
        [1],
        { args: [2], priority: 1, metadata: { n: 2 } },
        { args: [3], delay: 0, taskId: 'third' },
      ]);
    expect(ids[2]).toBe('third');
    await advance(1_000);
    expect(await flowrra.getResult('third')).toMatchObject({ status: 'success', result: 3 });
    expect(await flowrra.jobs.get(ids[1] as string)).toMatchObject({ priority: 1, metadata: { n: 2 } });
    expect(await flowrra.jobs.get(ids[0] as string)).toMatchObject({ priority: 5, status: 'pending' });
    const before = await flowrra.pendingCount();
    await expect(flowrra.submitMany(mixed.fine, [[1], { args: [2], priority: -1 }])).rejects.toThrow(
      /priority/,
    );
    await expect(flowrra.submitMany(mixed.fine, [[1], { args: [() => 2] } as never])).rejects.toThrow(/args/);
    expect(await flowrra.pendingCount()).toBe(before);
  });
}
