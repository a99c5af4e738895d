import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import type { Bed, Beds, EngineUnderTest } from './engine-under-test.js';

const HOUR = 3_600_000;

@Injectable()
class Parcels {
  readonly did: string[] = [];
  fails = 0;

  @Task({ maxRetries: 0 })
  async send(@TaskCtx() ctx: TaskContext): Promise<string> {
    const label = await ctx.step('label', () => this.note('label'));
    const box = await ctx.call(this.pack);
    if (this.fails-- > 0) throw new Error('no carrier');
    return `${label} on ${box}`;
  }

  @Task()
  async pack(@TaskCtx() ctx: TaskContext): Promise<string> {
    await ctx.step('box', () => this.note('box'));
    await ctx.waitFor('packed');
    return 'box';
  }

  @Task()
  async store(@TaskCtx() ctx: TaskContext): Promise<string> {
    await ctx.step('shelf', () => this.note('shelf'));
    await ctx.sleep('a while', '3h');
    return 'stored';
  }

  private note(text: string): string {
    this.did.push(text);
    return text;
  }
}

/** An engine that loses its jobs runs those that come due before the deadline of a stop: none of these does. */
const shutdownTimeout = '1m';

/** Durable jobs that an application leaves behind: when it stops, and when they are removed. */
export function durableStopCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('journal')) return;

  async function childOf({ flowrra }: Bed, parent: string): Promise<string> {
    const { jobs } = await flowrra.jobs.find({ parent });
    expect(jobs).toHaveLength(1);
    return jobs[0]?.taskId ?? '';
  }

  async function endChild(bed: Bed, parent: string): Promise<void> {
    await bed.flowrra.signal(await childOf(bed, parent), 'packed');
    await bed.advance(1_000);
  }

  it('a stop does not wait for suspended jobs', async () => {
    const { app, flowrra, advance } = await beds.start([Parcels], {
      shutdownTimeout,
      resultTtl: '30d',
    });
    const parcels = app.get(Parcels);
    const ids = [await flowrra.submit(parcels.send), await flowrra.submit(parcels.store)];
    await advance(0);
    for (const id of ids) expect((await flowrra.getResult(id))?.status).toBe('suspended');
    // The clock stands still: a stop that waited for a signal, for the end of a sleep or for its time-out would not end.
    await flowrra.stop();
    expect(flowrra.isRunning).toBe(false);
    expect(parcels.did.toSorted()).toEqual(['box', 'label', 'shelf']);
  });

  it('a closing application does not wait for suspended jobs', async () => {
    const { app, flowrra, advance } = await beds.start([Parcels], { shutdownTimeout });
    const id = await flowrra.submit(app.get(Parcels).send);
    await advance(0);
    expect((await flowrra.getResult(id))?.status).toBe('suspended');
    await app.close();
    expect(flowrra.isRunning).toBe(false);
  });

  it('a job whose journal was removed with it runs its steps again under the same id', async () => {
    const bed = await beds.start([Parcels], { resultTtl: '30d' });
    const { app, flowrra, advance } = bed;
    const parcels = app.get(Parcels);
    const submit = (): Promise<string> => flowrra.with({ taskId: 'parcel' }).submit(parcels.send);
    await submit();
    await advance(0);
    expect(await flowrra.jobs.remove('parcel')).toBe(false);
    await endChild(bed, 'parcel');
    expect((await flowrra.waitForResult('parcel')).result).toBe('label on box');
    // The parent has the same children's ids again, so the children are removed as well.
    expect(await flowrra.jobs.remove(await childOf(bed, 'parcel'))).toBe(true);
    expect(await flowrra.jobs.remove('parcel')).toBe(true);
    expect(await flowrra.jobs.get('parcel')).toBeNull();

    expect(await submit()).toBe('parcel');
    await advance(0);
    expect((await flowrra.getResult('parcel'))?.status).toBe('suspended');
    expect(parcels.did).toEqual(['label', 'box', 'label', 'box']);
    await endChild(bed, 'parcel');
    expect((await flowrra.waitForResult('parcel')).result).toBe('label on box');
  });

  if (engine.cannot.includes('keep jobs')) return;

  it.each(['of the same application', 'of another application'])(
    'suspended jobs go on after the next start %s',
    async (which) => {
      const first = await beds.start([Parcels], { resultTtl: '30d' });
      const { send, store } = first.app.get(Parcels);
      const sent = await first.flowrra.submit(send);
      const stored = await first.flowrra.submit(store);
      await first.advance(0);
      const isSame = which === 'of the same application';
      await (isSame ? first.flowrra.stop() : first.app.close());
      const next = isSame ? first : await beds.start([Parcels], { resultTtl: '30d' }, first);
      if (isSame) await first.flowrra.start();
      await next.advance(1_000);
      for (const id of [sent, stored]) expect((await next.flowrra.getResult(id))?.status).toBe('suspended');
      await endChild(next, sent);
      expect((await next.flowrra.waitForResult(sent)).result).toBe('label on box');
      await next.advance(3 * HOUR);
      expect((await next.flowrra.waitForResult(stored)).result).toBe('stored');
      // Steps that were done before the stop are not done again.
      const did = [first, ...(isSame ? [] : [next])].flatMap(({ app }) => app.get(Parcels).did);
      expect(did.toSorted()).toEqual(['box', 'label', 'shelf']);
    },
  );
}
