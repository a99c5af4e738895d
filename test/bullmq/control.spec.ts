import { Injectable } from '@nestjs/common';
import { type FlowrraEvent, type FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import type { BullMqOptions } from '../../lib/engine/bullmq/index.js';
import { Fleet } from '../fleet/fleet.js';
import { Producer } from '../fleet/producer.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import { place, startOn } from './apps.js';
import { onBoth } from './on-both.js';

@Injectable()
class Work {
  readonly ran: string[] = [];
  readonly aborted: string[] = [];
  started = new Gate();
  gate = new Gate();

  @Task()
  note(name: string): string {
    this.ran.push(name);
    return name;
  }

  @Task()
  async hold(@TaskCtx() { signal }: TaskContext): Promise<void> {
    this.ran.push('hold');
    signal.addEventListener('abort', () => this.gate.open());
    this.started.open();
    await this.gate.passed;
  }

  @Task({ maxRetries: 5, retryDelay: '1h' })
  async fails(): Promise<void> {
    this.ran.push('fails');
    this.started.open();
    await this.gate.passed;
    throw new Error('not today');
  }
}

const REMOTE = { 'Work.note': {}, 'Work.hold': {}, 'Work.fails': {} };

/** Returns the types of the events of a job, in their order. */
function eventTypes(flowrra: FlowrraService): (taskId: string) => string[] {
  const events: FlowrraEvent[] = [];
  flowrra.events$.subscribe((event) => events.push(event));
  return (taskId) => events.filter((event) => event.taskId === taskId).map(({ type }) => type);
}

await onBoth((server) => {
  const setUp = async (more: Partial<BullMqOptions> = {}, options = {}) => {
    const engine = { connection: server.url, prefix: place(), ...more };
    const { app, flowrra } = await startOn(engine, Work, { numWorkers: 2, ...options });
    const other = await startOn(engine, Work, { role: 'producer', remoteTasks: REMOTE });
    return { engine, app, flowrra, work: app.get(Work), other: other.flowrra };
  };

  it('cancels a job that runs in another process, and settles waits in every process', async () => {
    const { flowrra, other, work } = await setUp();
    const id = await other.submit('Work.hold');
    const waiting = [flowrra.waitForResult(id), other.waitForResult(id)];
    await work.started.passed;
    expect(await other.cancel(id, { reason: 'from afar' })).toBe(true);
    await work.gate.passed;
    for (const result of await Promise.all(waiting))
      expect(result).toMatchObject({ status: 'cancelled', error: 'from afar' });
    expect(await other.jobs.counts()).toContainEqual(
      expect.objectContaining({ queue: 'default', cancelled: 1, failed: 0, running: 0 }),
    );
    expect((await other.jobs.find({ status: 'cancelled' })).jobs).toMatchObject([{ taskId: id }]);
  });

  it('the first reason counts, whichever process gives another one', async () => {
    const { flowrra, other, work } = await setUp();
    const id = await other.submit('Work.hold');
    await work.started.passed;
    expect(await other.cancel(id, { reason: 'first' })).toBe(true);
    await flowrra.cancel(id, { reason: 'second' });
    expect(await other.waitForResult(id)).toMatchObject({ status: 'cancelled', error: 'first' });
  });

  it('a job that is released before its signal is aborted ends at once, not when it is due', async () => {
    const { flowrra, other, work } = await setUp();
    const events = eventTypes(flowrra);
    const id = await other.submit('Work.fails');
    await work.started.passed;
    expect(await other.cancel(id, { reason: 'from afar' })).toBe(true);
    work.gate.open();
    expect(await other.waitForResult(id)).toMatchObject({
      status: 'cancelled',
      error: 'from afar',
    });
    expect(work.ran).toEqual(['fails']);
    await until(() => events(id).includes('cancelled'), {
      describe: 'the event of the cancellation arrives',
    });
    expect(events(id).filter((type) => type === 'cancelled')).toHaveLength(1);
  });

  it('a job whose worker is killed before its signal is aborted ends as cancelled, and never runs again', async () => {
    const prefix = place();
    const settings = { connection: server.url, prefix, lease: '1h', stalledInterval: 250, maxRescues: 100 };
    const fleet = new Fleet({ ...settings, numWorkers: 1, shutdownTimeout: '1s' });
    const producer = await Producer.start(server.url, prefix);
    try {
      const first = await fleet.start({ FLEET_DEAF: 'yes' });
      const id = await producer.one('deaf');
      await until(() => fleet.journal(first).runs.length === 1, { describe: 'it runs' });
      expect(await producer.flowrra.cancel(id, { reason: 'from afar' })).toBe(true);
      await fleet.kill(first);
      await fleet.endLeases(first);
      expect(await producer.flowrra.getResult(id)).toMatchObject({ status: 'running' });
      const second = await fleet.start();
      const next = await producer.one('fast');
      expect(await producer.flowrra.waitForResult(id)).toMatchObject({
        status: 'cancelled',
        error: 'from afar',
        retries: 0,
      });
      expect(await producer.flowrra.waitForResult(next)).toMatchObject({ status: 'success' });
      expect(fleet.journal(second).runs.map(({ taskId }) => taskId)).toEqual([next]);
      expect(await producer.flowrra.cancel(id)).toBe(false);
    } finally {
      fleet.remove();
      await producer.close();
    }
  });

  it('a job whose workers die counts its starts, not its claims', async () => {
    const engine = { connection: server.url, prefix: place(), maxRescues: 2 };
    const producer = await startOn(engine, Work, { role: 'producer', remoteTasks: REMOTE });
    const id = await producer.flowrra.submit('Work.note', 'taken');
    await server.haveDied(engine.prefix, 'default', id, 5);
    const worker = await startOn(engine, Work);
    expect(await producer.flowrra.waitForResult(id)).toMatchObject({ status: 'success' });
    expect(worker.app.get(Work).ran).toEqual(['taken']);
  });

  it('with fleetEvents, a cancellation is one event', async () => {
    const { engine, flowrra, other } = await setUp({ fleetEvents: true }, { queues: { slow: {} } });
    const third = await startOn(engine, Work, { role: 'producer', remoteTasks: REMOTE });
    const streams = [flowrra, other, third.flowrra].map(eventTypes);
    const id = await other.with({ delay: '1h' }).submit('Work.note', 'later');
    await other.cancel(id);
    const waiting = await Promise.all([flowrra.waitForResult(id), third.flowrra.waitForResult(id)]);
    expect(waiting.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    await other.submit('Work.note', 'now').then((now) => other.waitForResult(now));
    for (const events of streams)
      expect(events(id).filter((type) => type === 'cancelled').length).toBeLessThanOrEqual(1);
    expect(streams[1]?.(id)).toEqual(['submitted', 'cancelled']);
  });

  it('a job that a rate limit holds is cancelled without a run, and released when its process stops', async () => {
    const queues = { default: { concurrency: 1, rateLimit: { max: 1, per: '1h' as const } } };
    const { engine, app, flowrra, other, work } = await setUp({}, { queues, numWorkers: undefined });
    await flowrra.waitForResult(await other.submit('Work.note', 'first'));
    const held = await other.submit('Work.note', 'held');
    const queue = server.queue(engine.prefix, 'default');
    const isThere = async (): Promise<boolean> =>
      (await queue.getActiveCount()) + (await queue.getWaitingCount()) > 0;
    await until(isThere, { describe: 'the job is held back' });
    expect(await flowrra.cancel(held, { reason: 'enough' })).toBe(true);
    expect(await other.waitForResult(held)).toMatchObject({ status: 'cancelled', error: 'enough' });
    const last = await other.submit('Work.note', 'last');
    await app.close();
    expect(await other.getResult(last)).toMatchObject({ status: 'pending', retries: 0, startedAt: null });
    expect(work.ran).toEqual(['first']);
    await startOn(engine, Work);
    expect(await other.waitForResult(last)).toMatchObject({ status: 'success', result: 'last' });
  });

  it('fleetConcurrency is removed when the option is, unless another program has set the limit', async () => {
    const connection = server.url;
    const prefix = place();
    const start = (queues: object) => startOn({ connection, prefix }, Work, { queues } as never);
    const bounds = (...names: string[]) =>
      Promise.all(names.map((name) => server.queue(prefix, name).getGlobalConcurrency()));
    await start({ ours: { fleetConcurrency: 3 }, others: {} });
    await server.queue(prefix, 'others').setGlobalConcurrency(7);
    expect(await bounds('ours', 'others')).toEqual([3, 7]);
    await start({ ours: { fleetConcurrency: 2 }, others: {} });
    expect(await bounds('ours', 'others')).toEqual([2, 7]);
    await start({ ours: {}, others: {} });
    expect(await bounds('ours', 'others')).toEqual([null, 7]);
  });

  it('a chosen id of an existing job is recognised, whatever the state of that job', async () => {
    const { flowrra, other, work } = await setUp();
    const events = eventTypes(other);
    const submit = (name: string) => other.with({ taskId: 'chosen' }).submit('Work.note', name);
    expect(await Promise.all([submit('a'), submit('b'), submit('c')])).toEqual(Array(3).fill('chosen'));
    await flowrra.waitForResult('chosen');
    await submit('d');
    expect(events('chosen').filter((type) => type === 'submitted')).toHaveLength(1);
    expect(work.ran).toHaveLength(1);
  });

  it('characters that a server cannot store in text do no harm', async () => {
    const { other, flowrra } = await setUp();
    const dedupe = { key: 'ü:{*} ?' };
    const odd = other.with({ delay: '1h', dedupe, metadata: { 'k\0': '\udfff' } });
    const id = await odd.submit('Work.note', 'x');
    expect(await odd.submit('Work.note', 'y')).toBe(id);
    expect(await flowrra.jobs.get(id)).toMatchObject({ metadata: { 'k\0': '\udfff' }, args: ['x'] });
    await flowrra.cancel(id, { reason: 'nul \0 and \ud800' });
    expect(await other.getResult(id)).toMatchObject({ status: 'cancelled', error: 'nul \ufffd and \ufffd' });
    expect(await odd.submit('Work.note', 'z')).not.toBe(id);
  });

  it('fifty debounced submissions at once, from several processes, are one job with the content of one of them', async () => {
    const { flowrra, other, work } = await setUp();
    const dedupe = { key: 'k', mode: 'debounce', ttl: '2s' } as const;
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? flowrra : other).with({ dedupe }).submit('Work.note', `${n}`),
      ),
    );
    expect(new Set(ids).size).toBe(1);
    await flowrra.waitForResult(ids[0] as string);
    expect(work.ran).toHaveLength(1);
    expect(await flowrra.pendingCount()).toBe(0);
  });
});
