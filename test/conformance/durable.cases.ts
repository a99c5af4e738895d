import { Injectable } from '@nestjs/common';
import { FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

const HOUR = 3_600_000;

@Injectable()
class Orders {
  readonly did: string[] = [];
  fails = 0;

  constructor(readonly flowrra: FlowrraService) {}

  @Task({ maxRetries: 2, retryDelay: '1s' })
  async fulfil(order: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    const charge = await ctx.step('charge', ({ key }) =>
      this.note(`charge ${order} ${key.endsWith('/charge')}`),
    );
    await ctx.sleep('cool-off', '3h');
    if (this.fails-- > 0) throw new Error('not yet');
    const by = await ctx.waitFor<string>('approval');
    const labels = await Promise.all(
      [1, 2].map((n) => ctx.with({ key: String(n) }).call(this.label, order, n)),
    );
    return `${charge}, ${by}, ${labels.join()}`;
  }

  @Task()
  async label(order: string, n: number): Promise<string> {
    this.note(`label ${order} ${n}`);
    return `${order}/${n}`;
  }

  @Task({ maxRetries: 0 })
  async book(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('hotel', () => this.note('hotel'), { undo: () => this.note('no hotel') });
    await ctx.step('car', () => this.note('car'), { undo: () => this.note('no car') });
    await ctx.waitFor('go');
    throw new Error('no flight');
  }

  @Task({ maxRetries: 0 })
  async charge(@TaskCtx() ctx: TaskContext): Promise<string> {
    await ctx.step('pay', () => this.note('pay'), { undo: () => this.note('refund in the child') });
    await ctx.waitFor('paid');
    return 'receipt';
  }

  @Task({ maxRetries: 0 })
  async buy(@TaskCtx() ctx: TaskContext): Promise<void> {
    const receipt = await ctx.call(this.charge);
    await ctx.step('paid', () => receipt, { undo: (paid) => this.note(`refund ${paid}`) });
    await ctx.waitFor('go');
    throw new Error('sold out');
  }

  private note(text: string): string {
    this.did.push(text);
    return text.split(' ')[0] as string;
  }
}

/** Steps, waits, child jobs and undo. */
export function durableCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('journal')) return;

  it('a method with a step, a sleep, a signal and child jobs does each once, over a retry', async () => {
    const { app, flowrra, advance } = await beds.start([Orders], { resultTtl: '30d' });
    const orders = app.get(Orders);
    orders.fails = 1;
    const id = await flowrra.submit(orders.fulfil, 'o1');
    await advance(0);
    expect((await flowrra.getResult(id))?.status).toBe('suspended');
    expect(await flowrra.pendingCount()).toBe(0);
    expect(orders.did).toEqual(['charge o1 true']);
    await advance(3 * HOUR + 2_000);
    expect((await flowrra.getResult(id))?.status).toBe('suspended');
    await flowrra.signal(id, 'approval', 'ada');
    await advance(1_000);
    const result = await flowrra.waitForResult(id);
    expect(result.error).toBeNull();
    expect(result.result).toBe('charge, ada, o1/1,o1/2');
    expect(result.retries).toBe(1);
    expect(orders.did.toSorted()).toEqual(['charge o1 true', 'label o1 1', 'label o1 2']);
    expect(
      (await flowrra.jobs.get(id))?.steps.map(({ name, kind, status }) => `${kind} ${name} ${status}`),
    ).toEqual([
      'step charge done',
      'sleep cool-off done',
      'waitFor approval done',
      'call Orders.label#1 done',
      'call Orders.label#2 done',
    ]);
    const { jobs } = await flowrra.jobs.find({ parent: id });
    expect(jobs.map(({ parentId, tags }) => [parentId, tags])).toEqual([
      [id, []],
      [id, []],
    ]);
  });

  it('the steps of a job that fails are undone in reverse order', async () => {
    const { app, flowrra, advance } = await beds.start([Orders]);
    const orders = app.get(Orders);
    const id = await flowrra.submit(orders.book);
    await advance(0);
    await flowrra.signal(id, 'go');
    await advance(1_000);
    const result = await flowrra.waitForResult(id);
    expect(result.error).toBe('Error: no flight');
    expect(orders.did).toEqual(['hotel', 'car', 'no car', 'no hotel']);
  });

  it('the steps of a job that is cancelled while it is suspended are undone', async () => {
    const { app, flowrra, advance } = await beds.start([Orders]);
    const orders = app.get(Orders);
    const id = await flowrra.submit(orders.book);
    await advance(0);
    expect(await flowrra.cancel(id, { reason: 'changed my mind' })).toBe(true);
    await advance(1_000);
    const result = await flowrra.waitForResult(id);
    expect([result.status, result.error]).toEqual(['cancelled', 'changed my mind']);
    expect(orders.did).toEqual(['hotel', 'car', 'no car', 'no hotel']);
  });

  it('the work of a child job is undone by the child while it is unfinished, and by its parent afterwards', async () => {
    const { app, flowrra, advance } = await beds.start([Orders]);
    const orders = app.get(Orders);
    const childOf = async (parent: string): Promise<string> => {
      const { jobs } = await flowrra.jobs.find({ parent });
      return jobs[0]?.taskId ?? '';
    };
    const cancelled = await flowrra.submit(orders.buy);
    await advance(0);
    await flowrra.cancel(cancelled);
    await advance(1_000);
    await flowrra.waitForResult(await childOf(cancelled));
    expect((await flowrra.waitForResult(cancelled)).status).toBe('cancelled');
    expect(orders.did).toEqual(['pay', 'refund in the child']);

    const failed = await flowrra.submit(orders.buy);
    await advance(0);
    await flowrra.signal(await childOf(failed), 'paid');
    await advance(1_000);
    await flowrra.signal(failed, 'go');
    await advance(1_000);
    expect((await flowrra.waitForResult(failed)).error).toBe('Error: sold out');
    expect(orders.did.slice(2)).toEqual(['pay', 'refund receipt']);
  });
}
