import { Injectable } from '@nestjs/common';
import { type JobSummary, Task } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Bed, Beds } from './engine-under-test.js';

@Injectable()
class Orders {
  readonly gate = new Gate();
  runs = 0;
  healed = false;

  @Task({ tags: ['billing'] })
  bill(n: number): number {
    return n;
  }

  @Task({ tags: (order: { id: number }) => [`order:${order.id}`, 'order'] })
  ship(order: { id: number }): number {
    return order.id;
  }

  @Task({ queue: 'other', maxRetries: 1, retryDelay: 10, tags: ['flaky'] })
  flaky(): string {
    this.runs++;
    if (!this.healed) throw new Error('not yet');
    return 'healed';
  }

  @Task()
  plain(n: number): number {
    return n;
  }

  @Task({
    tags: (kind: string): readonly string[] => {
      if (kind === 'throws') throw new RangeError('no tags for this');
      return kind === 'many' ? Array.from({ length: 11 }, (_, n) => `t${n}`) : (kind as never);
    },
  })
  odd(kind: string): string {
    return kind;
  }

  @Task({ tags: ['held'] })
  async hold(): Promise<void> {
    await this.gate.passed;
  }
}

/** Every job that a query finds, however many pages that takes. */
export async function findAll({ flowrra }: Pick<Bed, 'flowrra'>, query: object): Promise<JobSummary[]> {
  const found: JobSummary[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await flowrra.jobs.find({ ...query, ...(cursor !== undefined && { cursor }) });
    found.push(...page.jobs);
    ({ cursor } = page);
  }
  return found;
}

/** Words by which operators find jobs. */
export function tagsCases(beds: Beds): void {
  async function start(options: Parameters<Beds['start']>[1] = {}) {
    const bed = await beds.start([Orders], { queues: { other: {} }, ...options });
    const ids = async (query: object) => (await findAll(bed, query)).map(({ taskId }) => taskId).sort();
    return { ...bed, orders: bed.app.get(Orders), ids };
  }

  it('finds jobs by the tags of their task and of their submission', async () => {
    const { flowrra, orders, advance, ids } = await start();
    const billed = await flowrra.submit(orders.bill, 1);
    const urgent = await flowrra.with({ tags: ['urgent', 'billing', 'urgent'] }).submit(orders.bill, 2);
    const shipped = await flowrra.submit(orders.ship, { id: 17 });
    const [one, two] = await flowrra
      .with({ tags: ['batch'] })
      .submitMany(orders.plain, [[1], { args: [2], tags: ['second'] }]);
    const plain = await flowrra.submit(orders.plain, 3);
    await advance(1_000);
    expect(await ids({ tag: 'billing' })).toEqual([billed, urgent].sort());
    expect(await ids({ tag: 'urgent' })).toEqual([urgent]);
    expect(await ids({ tag: 'order:17' })).toEqual([shipped]);
    expect(await ids({ tag: 'order' })).toEqual([shipped]);
    expect(await ids({ tag: 'batch' })).toEqual([one]);
    expect(await ids({ tag: 'second' })).toEqual([two]);
    expect(await ids({ tag: 'order:1' })).toEqual([]);
    expect((await flowrra.jobs.get(urgent))?.tags).toEqual(['billing', 'urgent']);
    expect((await flowrra.jobs.get(plain))?.tags).toEqual([]);
    const [found] = await findAll({ flowrra }, { tag: 'order' });
    expect(found?.tags).toEqual(['order:17', 'order']);
    expect(JSON.parse(JSON.stringify(found))).toMatchObject({ tags: ['order:17', 'order'] });
  });

  it('joins a tag with every other filter, page by page', async () => {
    const { flowrra, orders, advance, clock, ids } = await start();
    const early = await flowrra.submitMany(
      orders.bill,
      Array.from({ length: 7 }, (_, n): [number] => [n]),
    );
    await Promise.all(early.map((id) => flowrra.waitForResult(id)));
    await advance(1_000);
    const later = new Date(clock.now());
    const plain = await flowrra.with({ tags: ['billing'], delay: '1h' }).submit(orders.plain, 1);
    const other = await flowrra.with({ tags: ['billing'], delay: '1h' }).submit(orders.flaky);
    expect(await ids({ tag: 'billing' })).toEqual([...early, plain, other].sort());
    expect(await ids({ tag: 'billing', limit: 2 })).toEqual([...early, plain, other].sort());
    expect(await ids({ tag: 'billing', status: 'success', limit: 3 })).toEqual([...early].sort());
    expect(await ids({ tag: 'billing', status: ['pending', 'failed'] })).toEqual([plain, other].sort());
    expect(await ids({ tag: 'billing', queue: 'other' })).toEqual([other]);
    expect(await ids({ tag: 'billing', task: 'Orders.plain' })).toEqual([plain]);
    expect(await ids({ tag: 'billing', from: later })).toEqual([plain, other].sort());
    expect(await ids({ tag: 'billing', to: later, limit: 1 })).toEqual([...early].sort());
    await expect(flowrra.jobs.find({ tag: 'billing', cursor: '!' })).rejects.toThrow('no cursor');
  });

  it('a job keeps its tags over retries, a cancellation and a retry by an operator, and loses them with itself', async () => {
    const { flowrra, orders, advance, ids } = await start();
    const id = await flowrra.with({ tags: ['mine'] }).submit(orders.flaky);
    const delayed = await flowrra.with({ tags: ['mine'], delay: '1h' }).submit(orders.bill, 1);
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('failed');
    expect(await ids({ tag: 'mine', status: 'failed' })).toEqual([id]);
    expect(await flowrra.cancel(delayed)).toBe(true);
    expect(await ids({ tag: 'mine', status: 'cancelled' })).toEqual([delayed]);
    orders.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('success');
    expect(await ids({ tag: 'mine' })).toEqual([id, delayed].sort());
    expect((await flowrra.jobs.get(id))?.tags).toEqual(['flaky', 'mine']);
    expect(await flowrra.jobs.remove(id)).toBe(true);
    expect(await ids({ tag: 'mine' })).toEqual([delayed]);
    expect(await ids({ tag: 'flaky' })).toEqual([]);
    expect(await flowrra.jobs.remove(delayed)).toBe(true);
    expect(await ids({ tag: 'mine' })).toEqual([]);
  });

  it('shows running jobs with their tags', async () => {
    const { flowrra, orders, advance, ids } = await start();
    const id = await flowrra.submit(orders.hold);
    await advance(0);
    expect(await ids({ tag: 'held', status: 'running' })).toEqual([id]);
    orders.gate.open();
    await flowrra.waitForResult(id);
    expect(await ids({ tag: 'held', status: 'success' })).toEqual([id]);
  });

  it('a debounced job takes the tags of the last submission, and a deduplicated submission adds none', async () => {
    const { flowrra, orders, ids } = await start();
    const dedupe = { key: 'k', mode: 'debounce', ttl: '1h' } as const;
    const id = await flowrra.with({ dedupe, tags: ['first', 'both'] }).submit(orders.plain, 1);
    expect(await ids({ tag: 'first' })).toEqual([id]);
    expect(await flowrra.with({ dedupe, tags: ['both', 'last'] }).submit(orders.plain, 2)).toBe(id);
    expect(await ids({ tag: 'first' })).toEqual([]);
    expect(await ids({ tag: 'both' })).toEqual([id]);
    expect(await ids({ tag: 'last' })).toEqual([id]);
    expect((await flowrra.jobs.get(id))?.tags).toEqual(['both', 'last']);
    await flowrra.with({ dedupe }).submit(orders.plain, 3);
    expect(await ids({ tag: 'both' })).toEqual([]);
    expect((await flowrra.jobs.get(id))?.tags).toEqual([]);

    const ignore = flowrra.with({ dedupe: { key: 'i' }, delay: '1h', tags: ['a'] });
    const held = await ignore.submit(orders.plain, 1);
    const again = flowrra.with({ dedupe: { key: 'i' }, delay: '1h', tags: ['b'] });
    expect(await again.submit(orders.plain, 1)).toBe(held);
    expect(await ids({ tag: 'a' })).toEqual([held]);
    expect(await ids({ tag: 'b' })).toEqual([]);

    const own = flowrra.with({ taskId: 'mine', delay: '1h', tags: ['c'] });
    await own.submit(orders.plain, 1);
    await flowrra.with({ taskId: 'mine', delay: '1h', tags: ['d'] }).submit(orders.plain, 1);
    expect(await ids({ tag: 'c' })).toEqual(['mine']);
    expect(await ids({ tag: 'd' })).toEqual([]);
    await flowrra.cancel('mine');
    await flowrra.jobs.remove('mine');
    await flowrra.with({ taskId: 'mine', delay: '1h', tags: ['d'] }).submit(orders.plain, 1);
    expect(await ids({ tag: 'c' })).toEqual([]);
    expect(await ids({ tag: 'd' })).toEqual(['mine']);
  });

  it('takes any text as a tag, and tells apart what looks alike', async () => {
    const { flowrra, orders, ids } = await start();
    const odd = [
      ' ',
      'a:b:*?[x]',
      "it's; DROP TABLE jobs --",
      '😀'.repeat(50),
      '__proto__',
      '%_"\\',
      'Ä',
      'A\u0308',
      '0',
      '{}',
    ];
    const id = await flowrra.with({ tags: odd, delay: '1h' }).submit(orders.plain, 1);
    expect((await flowrra.jobs.get(id))?.tags).toEqual(odd);
    for (const tag of odd) expect(await ids({ tag })).toEqual([id]);
    for (const tag of ['a:b:*', 'constructor', '%', 'a', '00', '*', 'ä'])
      expect(await ids({ tag })).toEqual([]);
  });

  it('rejects a submission whose tags are not valid, and stores nothing', async () => {
    const { flowrra, orders, ids } = await start();
    const submit = async (tags: unknown) => flowrra.with({ tags: tags as string[] }).submit(orders.bill, 1);
    await expect(submit('billing')).rejects.toThrow(
      "tags: 'billing' is not valid. It must be an array of tags",
    );
    await expect(submit(['a', ''])).rejects.toThrow("tags[1]: '' is not valid. A tag is 1 to 100 characters");
    await expect(submit(['x'.repeat(101)])).rejects.toThrow('tags[0]: ');
    await expect(submit(['a\nb'])).rejects.toThrow('none a control character');
    await expect(submit(Array(2))).rejects.toThrow('tags[0]: undefined is not valid');
    await expect(submit(Array.from({ length: 11 }, (_, n) => `t${n}`))).rejects.toThrow('at most 10 tags');
    await expect(submit(Array.from({ length: 10 }, (_, n) => `t${n}`))).rejects.toThrow(
      "tags of task 'Orders.bill' and of its submission",
    );
    await expect(flowrra.submit(orders.odd, 'throws')).rejects.toMatchObject({
      name: 'FlowrraConfigError',
      message: expect.stringContaining("Task 'Orders.odd': its function 'tags' has thrown"),
      cause: expect.any(RangeError),
    });
    await expect(flowrra.submit(orders.odd, 'text')).rejects.toThrow(
      "the value that its function 'tags' returned",
    );
    await expect(flowrra.submit(orders.odd, 'many')).rejects.toThrow('at most 10 tags');
    await expect(flowrra.submitMany(orders.odd, [['many'], ['text']])).rejects.toThrow('at most 10 tags');
    expect(await ids({})).toEqual([]);
  });
}
