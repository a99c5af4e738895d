import { type INestApplicationContext, Inject, Injectable } from '@nestjs/common';
import { type Engine, type FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { connectionOf } from '../../lib/outbox/connection/recognise.js';
import { outbox } from '../../lib/outbox/index.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { randomFrom } from '../support/random.js';
import type { Handle, Library } from './support/libraries.js';
import { type OwnDatabase, ownDatabase } from './support/own-database.js';

const HANDLE = 'the handle of the library';
const HOUR_MS = 3_600_000;
const TRANSACTIONS = 20;

class Undo extends Error {}

@Injectable()
class Orders {
  /** The orders of all attempts of `ship`. */
  readonly shipped: string[] = [];
  /** How often the block of `pay` was called. */
  paid = 0;

  constructor(@Inject(HANDLE) private readonly handle: Handle) {}

  @Task()
  ship(order: string, details: { parts: number; at: Date }): string {
    this.shipped.push(order);
    return `${order}: ${details.parts} parts at ${details.at.toISOString()}`;
  }

  @Task()
  look(@TaskCtx() ctx: TaskContext): unknown {
    return { taskId: ctx.taskId, priority: ctx.priority, metadata: ctx.metadata };
  }

  @Task({ maxRetries: 2, retryDelay: 0 })
  async pay(@TaskCtx() ctx: TaskContext): Promise<unknown> {
    const { attempt } = ctx;
    const answer = await this.handle.transaction(async (tx) => {
      const paid = await ctx.once(tx as object, async () => {
        await addEffect(tx, `pay ${ctx.taskId}`);
        return { block: ++this.paid, at: new Date(5) };
      });
      if (attempt === 1) throw new Undo('before the commit');
      return paid;
    });
    if (attempt === 2) throw new Undo('after the commit');
    return answer;
  }

  @Task({ maxRetries: 2, retryDelay: 0 })
  paySync(@TaskCtx() ctx: TaskContext): unknown {
    const { transactionSync } = this.handle;
    const answer = transactionSync?.((tx) => {
      const paid = ctx.onceSync(tx as object, () => {
        void addEffect(tx, `pay ${ctx.taskId}`);
        return { block: ++this.paid, at: new Date(5) };
      });
      if (ctx.attempt === 1) throw new Undo('before the commit');
      return paid;
    });
    if (ctx.attempt === 2) throw new Undo('after the commit');
    return answer;
  }

  /** Two transactions at once, as of two attempts of which one counts as lost. */
  @Task({ maxRetries: 0 })
  async race(firstFails: boolean, @TaskCtx() ctx: TaskContext): Promise<unknown[]> {
    let blocks = 0;
    const entered = new Gate();
    const gate = new Gate();
    const attempt = (isFirst: boolean, context: TaskContext) =>
      this.handle.transaction(async (tx) => {
        const result = await context.once(tx as object, async () => {
          const block = ++blocks;
          if (block === 1) {
            entered.open();
            await gate.passed;
          }
          await addEffect(tx, `race ${ctx.taskId} ${block}`);
          return block;
        });
        if (isFirst && firstFails) throw new Undo('the first one');
        return result;
      });
    const first = attempt(true, ctx).catch((error: Error) => error.message);
    await entered.passed;
    const second = attempt(false, asOtherAttempt(ctx));
    gate.open();
    return Promise.all([first, second]);
  }
}

/** A context of the same job that has called no block yet, as that of another attempt. */
function asOtherAttempt(ctx: TaskContext): TaskContext {
  const prototype = Object.getPrototypeOf(ctx) as object;
  return Object.assign(Object.create(prototype) as TaskContext, ctx, { blocks: null });
}

/** Writes a row of the application. */
function addEffect(tx: unknown, id: string): unknown {
  const connection = connectionOf(tx, 'tx');
  const place = connection.dialect === 'postgres' ? '$1' : '?';
  return connection.run(`INSERT INTO effects (id) VALUES (${place})`, [id]);
}

export interface OutboxUnderTest {
  readonly library: Library;
  /** The URL of the library's server; not for SQLite. */
  readonly server?: string | undefined;
  /** A new engine, on a storage of its own. */
  engine(): Engine | string;
}

/** The behaviour that every library and every engine has in common. */
export function outboxCases({ library, server, engine }: OutboxUnderTest): void {
  const { dialect, sync = false } = library;
  /** These have one connection, on which transactions at the same time would be one. */
  const oneAtATime = sync || (library.library === 'TypeORM' && dialect === 'sqlite');
  let own: OwnDatabase;
  let handle: Handle;
  let app: INestApplicationContext;
  let flowrra: FlowrraService;
  let orders: Orders;

  const details = { parts: 2, at: new Date(86_400_000) };
  const within = (tx: unknown) => flowrra.within(tx as object);
  const resultOf = async (taskId: string) => (await flowrra.waitForResult(taskId)).result;
  const effects = async (): Promise<unknown[]> => {
    const connection = connectionOf(handle.database, 'database');
    return (await connection.run('SELECT id FROM effects ORDER BY id', [])).map(({ id }) => id);
  };
  /** All that is committed has been handed on, and these jobs are unknown. */
  const expectUnknown = async (...taskIds: string[]): Promise<void> => {
    await flowrra.outbox.relay();
    for (const taskId of taskIds) {
      expect(await flowrra.getResult(taskId)).toBeNull();
      expect(await flowrra.jobs.get(taskId)).toBeNull();
    }
  };

  beforeAll(async () => {
    own = await ownDatabase(dialect, server);
    handle = await library.open(own.url);
    await connectionOf(handle.database, 'database').run(
      'CREATE TABLE effects (id VARCHAR(100) PRIMARY KEY)',
      [],
    );
    const started = await startApp(
      { engine: engine(), outbox: outbox({ database: handle.database as object }) },
      { providers: [Orders, { provide: HANDLE, useFactory: () => handle }] },
    );
    app = started.app;
    flowrra = started.flowrra;
    orders = app.get(Orders);
  });
  beforeEach(() => {
    orders.shipped.length = 0;
  });
  afterAll(async () => {
    await app?.close();
    await handle?.close();
    await own?.remove();
  });

  it('a job runs with its arguments after the commit', async () => {
    const taskId = await handle.transaction(async (tx) => {
      const submitted = await within(tx).submit(orders.ship, 'a', details);
      // With one connection, the relay waits for the end of the transaction.
      if (dialect !== 'sqlite') await flowrra.outbox.relay();
      expect(orders.shipped).toEqual([]);
      return submitted;
    });
    expect(await resultOf(taskId)).toBe('a: 2 parts at 1970-01-02T00:00:00.000Z');
    expect(orders.shipped).toEqual(['a']);
  });

  it('after a rollback the job is unknown, and does not run', async () => {
    let taskId = '';
    const transaction = handle.transaction(async (tx) => {
      taskId = await within(tx).submit(orders.ship, 'lost', details);
      throw new Undo();
    });
    await expect(transaction).rejects.toThrow(Undo);
    expect(taskId).toMatch(/^j/);
    await expectUnknown(taskId);
    await expect(flowrra.waitForResult(taskId)).rejects.toMatchObject({ code: 'FLOWRRA_RESULT_NOT_FOUND' });
    await expect(flowrra.cancel(taskId)).rejects.toMatchObject({ code: 'FLOWRRA_RESULT_NOT_FOUND' });
    expect(orders.shipped).toEqual([]);
  });

  it('after a rollback of the nested transaction, only the jobs of the outer one run', async () => {
    let lost = '';
    const [first, last] = await handle.transaction(async (outer) => {
      const before = await within(outer).submit(orders.ship, 'before', details);
      const nested = handle.nested(outer, async (inner) => {
        lost = await within(inner).submit(orders.ship, 'nested', details);
        throw new Undo();
      });
      await expect(nested).rejects.toThrow(Undo);
      return [before, await within(outer).submit(orders.ship, 'after', details)] as const;
    });
    await Promise.all([first, last].map((taskId) => flowrra.waitForResult(taskId)));
    await expectUnknown(lost);
    expect(orders.shipped.sort()).toEqual(['after', 'before']);
  });

  it('the jobs of a nested transaction run after the commit of the outer one, and never without it', async () => {
    const kept = await handle.transaction((outer) =>
      handle.nested(outer, (inner) => within(inner).submit(orders.ship, 'kept', details)),
    );
    let lost = '';
    const undone = handle.transaction(async (outer) => {
      lost = await handle.nested(outer, (inner) => within(inner).submit(orders.ship, 'lost', details));
      throw new Undo();
    });
    await expect(undone).rejects.toThrow(Undo);
    await flowrra.waitForResult(kept);
    await expectUnknown(lost);
    expect(orders.shipped).toEqual(['kept']);
  });

  it(`of ${TRANSACTIONS} transactions, exactly the jobs of the committed ones run, each once`, async () => {
    const random = randomFrom(7);
    const plans = Array.from({ length: TRANSACTIONS }, (_, n) => ({
      order: `order ${n}`,
      isUndone: random() < 0.5,
      turns: Math.floor(random() * 20),
    }));
    const submitted = new Map<string, string>();
    const run = ({ order, isUndone, turns }: (typeof plans)[number]): Promise<void> =>
      handle.transaction(async (tx) => {
        submitted.set(order, await within(tx).submit(orders.ship, order, details));
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (isUndone) throw new Undo();
      });
    const outcomes: PromiseSettledResult<void>[] = [];
    if (oneAtATime) for (const plan of plans) outcomes.push(...(await Promise.allSettled([run(plan)])));
    else outcomes.push(...(await Promise.allSettled(plans.map(run))));
    expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
      plans.map(({ isUndone }) => isUndone),
    );

    const kept = plans.filter(({ isUndone }) => !isUndone).map(({ order }) => order);
    const idsOf = (names: string[]) => names.map((order) => submitted.get(order) as string);
    await Promise.all(idsOf(kept).map((taskId) => flowrra.waitForResult(taskId)));
    await expectUnknown(...idsOf(plans.filter(({ isUndone }) => isUndone).map(({ order }) => order)));
    expect(orders.shipped.sort()).toEqual(kept.sort());
  });

  it('submitMany and tasks(Class) submit in the transaction', async () => {
    const [many, one] = await handle.transaction(async (tx) => {
      const orders$ = within(tx).tasks(Orders);
      const ids = await within(tx).submitMany(orders.ship, [
        ['m1', details],
        { args: ['m2', details], priority: 1 },
      ]);
      return [ids, await orders$.ship('t', details)] as const;
    });
    expect(await Promise.all([...many, one].map(resultOf))).toEqual(
      ['m1', 'm2', 't'].map((order) => `${order}: 2 parts at 1970-01-02T00:00:00.000Z`),
    );
    let lost: string[] = [];
    const undone = handle.transaction(async (tx) => {
      lost = await within(tx).submitMany(orders.ship, [
        ['u1', details],
        ['u2', details],
      ]);
      lost.push(await within(tx).tasks(Orders).ship('u3', details));
      throw new Undo();
    });
    await expect(undone).rejects.toThrow(Undo);
    expect(new Set(lost).size).toBe(3);
    await expectUnknown(...lost);
  });

  it('a job keeps its options', async () => {
    const options = {
      priority: 3,
      metadata: { tenant: 'blue', since: new Date(9) },
      tags: ['vip', 'ad hoc'],
    };
    const taskId = `own-${library.library}-${dialect}`;
    const [own, delayed] = await handle.transaction(async (tx) => {
      const tagged = within(tx).with(options);
      const first = await tagged.with({ taskId }).submit(orders.look);
      return [first, await tagged.with({ delay: HOUR_MS }).submit(orders.look)] as const;
    });
    expect(own).toBe(taskId);
    const { tags: _tags, ...seen } = options;
    expect(await resultOf(own)).toEqual({ taskId, ...seen });
    expect(await flowrra.jobs.get(own)).toMatchObject(options);

    await flowrra.outbox.relay();
    const waiting = await flowrra.jobs.get(delayed);
    expect(waiting).toMatchObject({ status: 'pending', ...options });
    const due = waiting?.dueAt?.getTime() ?? 0;
    expect(Math.abs(due - (waiting?.submittedAt.getTime() ?? 0) - HOUR_MS)).toBeLessThan(60_000);
    expect(await flowrra.cancel(delayed, { reason: 'not needed' })).toBe(true);
    expect(await flowrra.waitForResult(delayed)).toMatchObject({ status: 'cancelled', error: 'not needed' });
  });

  it('what is in no transaction is rejected', async () => {
    const root = within(handle.database);
    await expect(root.submit(orders.ship, 'root', details)).rejects.toThrow(
      /^flowrra\.within\(\): this object of .+ is in no transaction/,
    );
    await expect(root.submitMany(orders.ship, [['root', details]])).rejects.toThrow(/in no transaction/);
    await flowrra.outbox.relay();
    expect(orders.shipped).toEqual([]);
  });

  it(sync ? 'submitSync stores the job before it returns' : 'submitSync is rejected', async () => {
    const { transactionSync } = handle;
    if (transactionSync === undefined) {
      await handle.transaction(async (tx) => {
        expect(() => within(tx).submitSync(orders.ship, 'sync', details)).toThrow(
          /is asynchronous\. Use submit\(\)/,
        );
      });
      return;
    }
    const taskId = transactionSync((tx) => within(tx).submitSync(orders.ship, 'sync', details));
    expect(await resultOf(taskId)).toBe('sync: 2 parts at 1970-01-02T00:00:00.000Z');
    let lost = '';
    const undone = (): void =>
      transactionSync((tx) => {
        lost = within(tx).submitSync(orders.ship, 'undone', details);
        throw new Undo();
      });
    expect(undone).toThrow(Undo);
    await expectUnknown(lost);
    expect(orders.shipped).toEqual(['sync']);
  });

  it('ctx.once commits its block once over all attempts, and returns the stored result', async () => {
    const pays = sync ? [orders.pay, orders.paySync] : [orders.pay];
    for (const pay of pays) {
      orders.paid = 0;
      const taskId = await handle.transaction((tx) => within(tx).submit(pay));
      const result = await flowrra.waitForResult(taskId);
      // The first attempt was rolled back; the second one committed, and the third one found its row.
      expect(result).toMatchObject({ status: 'success', result: { block: 2, at: new Date(5) } });
      expect(result.errors.map(({ message }) => message)).toEqual(['before the commit', 'after the commit']);
      expect(orders.paid).toBe(2);
      expect(await effects()).toContain(`pay ${taskId}`);
    }
  });

  // Two transactions on one connection are impossible.
  if (oneAtATime) return;

  it.each([
    { firstFails: false, results: [1, 1], effect: 1 },
    { firstFails: true, results: ['the first one', 2], effect: 2 },
  ])('of two attempts at once, the second one waits (the first fails: $firstFails)', async (expected) => {
    const { firstFails, results, effect } = expected;
    const taskId = await handle.transaction((tx) => within(tx).submit(orders.race, firstFails));
    expect(await resultOf(taskId)).toEqual(results);
    expect((await effects()).filter((id) => String(id).includes(taskId))).toEqual([
      `race ${taskId} ${effect}`,
    ]);
  });
}
