import { Injectable } from '@nestjs/common';
import { ExecutorNotRunningError, InMemoryBackend, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import { type Beds, types } from './engine-under-test.js';
import { findAll } from './tags.cases.js';

@Injectable()
class Bulk {
  readonly gate = new Gate();
  readonly aborted: unknown[] = [];
  healed = false;
  runs = 0;

  @Task({ maxRetries: 1, retryDelay: 10 })
  flaky(n: number): number {
    this.runs++;
    if (!this.healed) throw new Error(`${n} has failed`);
    return n;
  }

  @Task()
  fine(n: number): number {
    return n;
  }

  @Task({ queue: 'other' })
  async hold(_n: number, @TaskCtx() ctx: TaskContext): Promise<void> {
    ctx.signal.addEventListener('abort', () => this.aborted.push(ctx.signal.reason));
    await this.gate.passed;
    ctx.signal.throwIfAborted();
  }
}

const numbers = (count: number): [number][] => Array.from({ length: count }, (_, n) => [n]);

/** Operations on many jobs. */
export function bulkCases(beds: Beds): void {
  async function start(options: Parameters<Beds['start']>[1] = {}) {
    const bed = await beds.start([Bulk], { queues: { other: { concurrency: 3 } }, ...options });
    const ids = async (query: object) => (await findAll(bed, query)).map(({ taskId }) => taskId).sort();
    const counts = async () => {
      const all = await bed.flowrra.jobs.counts();
      const sum = (key: 'pending' | 'running' | 'retrying' | 'success' | 'failed' | 'cancelled') =>
        all.reduce((total, queue) => total + queue[key], 0);
      const waiting = sum('pending') + sum('retrying');
      return { waiting, success: sum('success'), failed: sum('failed'), cancelled: sum('cancelled') };
    };
    return { ...bed, bulk: bed.app.get(Bulk), ids, counts };
  }

  /** Jobs that have failed, and others. */
  async function startFailed(count: number, options: Parameters<Beds['start']>[1] = {}) {
    const bed = await start(options);
    const { flowrra, bulk, advance } = bed;
    const failed = await flowrra.with({ tags: ['batch'] }).submitMany(bulk.flaky, numbers(count));
    const other = await flowrra.submit(bulk.flaky, -1);
    const fine = await flowrra.with({ tags: ['batch'] }).submit(bulk.fine, 1);
    await advance(1_000);
    await Promise.all([...failed, other, fine].map((id) => flowrra.waitForResult(id)));
    return { ...bed, failed, other, fine };
  }

  it('retries the failed jobs that a filter selects, with all their retries, and keeps their errors', async () => {
    const { flowrra, bulk, advance, ids, counts, seen, failed, other, fine } = await startFailed(25);
    expect(await flowrra.jobs.retryAll({ tag: 'none' })).toBe(0);
    expect(await flowrra.jobs.retryAll({ tag: 'batch', dryRun: true })).toBe(25);
    expect(await flowrra.jobs.retryAll({ dryRun: true })).toBe(26);
    expect(await counts()).toEqual({ waiting: 0, success: 1, failed: 26, cancelled: 0 });
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retryAll({ tag: 'batch', task: 'Bulk.flaky', status: 'failed' })).toBe(25);
    expect(await counts()).toEqual({ waiting: 25, success: 1, failed: 1, cancelled: 0 });
    expect(await ids({ status: 'pending', tag: 'batch' })).toEqual([...failed].sort());
    expect(await flowrra.jobs.get(failed[0] as string)).toMatchObject({
      retries: 0,
      startedAt: null,
      finishedAt: null,
      errors: [{ attempt: 1 }, { attempt: 2 }],
      tags: ['batch'],
    });
    bulk.runs = 0;
    await flowrra.queues.resume('default');
    await advance(1_000);
    const again = await Promise.all(failed.map((id) => flowrra.waitForResult(id)));
    expect(bulk.runs).toBe(50);
    expect(again.every(({ status, errors }) => status === 'failed' && errors.length === 4)).toBe(true);
    for (const id of failed) expect(types(seen, id).filter((type) => type === 'requeued')).toHaveLength(1);
    expect(types(seen, other)).not.toContain('requeued');
    bulk.healed = true;
    expect(await flowrra.jobs.retryAll({})).toBe(26);
    await advance(1_000);
    await Promise.all([...failed, other, fine].map((id) => flowrra.waitForResult(id)));
    expect(await counts()).toEqual({ waiting: 0, success: 27, failed: 0, cancelled: 0 });
  });

  it('cancels unfinished jobs: waiting ones end, running ones are signalled, and all are counted', async () => {
    const { flowrra, bulk, advance, ids, counts, seen } = await start();
    const running = await flowrra.submitMany(bulk.hold, numbers(3));
    await advance(0);
    await until(async () => (await ids({ status: 'running' })).length === 3, {
      describe: 'three running jobs',
    });
    const waiting = await flowrra.submitMany(bulk.hold, numbers(20));
    const delayed = await flowrra.with({ delay: '1h', tags: ['later'] }).submitMany(bulk.fine, numbers(20));
    const urgent = await flowrra.with({ priority: 5 }).submitMany(bulk.hold, numbers(4));
    const waits = waiting.map((id) => flowrra.waitForResult(id));
    expect(await flowrra.jobs.cancelAll({ dryRun: true })).toBe(47);
    expect(await flowrra.jobs.cancelAll({ tag: 'later', from: new Date(0) }, { reason: 'not later' })).toBe(
      20,
    );
    expect(await ids({ status: 'cancelled' })).toEqual([...delayed].sort());
    expect((await flowrra.getResult(delayed[0] as string))?.error).toBe('not later');
    expect(await flowrra.jobs.cancelAll({ status: 'pending', queue: 'other' }, { reason: 'enough' })).toBe(
      24,
    );
    expect(bulk.aborted).toEqual([]);
    expect((await Promise.all(waits)).map(({ status }) => status)).toEqual(waiting.map(() => 'cancelled'));
    expect(await flowrra.jobs.cancelAll({}, { reason: 'all of it' })).toBe(3);
    await advance(1_000);
    bulk.gate.open();
    const ended = await Promise.all(running.map((id) => flowrra.waitForResult(id)));
    expect(ended.map(({ status, error }) => [status, error])).toEqual(
      running.map(() => ['cancelled', 'all of it']),
    );
    expect(bulk.aborted).toHaveLength(3);
    expect(await flowrra.jobs.cancelAll()).toBe(0);
    expect(await counts()).toEqual({ waiting: 0, success: 0, failed: 0, cancelled: 47 });
    for (const id of [...waiting, ...delayed, ...urgent, ...running])
      expect(types(seen, id).filter((type) => type === 'cancelled')).toHaveLength(1);
  });

  it('cancels some of the jobs of a long queue, and the others run in their order', async () => {
    const { flowrra, bulk, advance, ids } = await start();
    await flowrra.queues.pause('default');
    const kept: string[] = [];
    const cancelled: string[] = [];
    for (let n = 0; n < 60; n++) {
      const tags = n % 3 === 0 ? ['keep'] : ['drop'];
      const task = n % 2 === 0 ? bulk.fine : bulk.flaky;
      (n % 3 === 0 || n % 2 === 0 ? kept : cancelled).push(await flowrra.with({ tags }).submit(task, n));
    }
    bulk.healed = true;
    expect(await flowrra.jobs.cancelAll({ task: 'Bulk.flaky', tag: 'drop', dryRun: true })).toBe(20);
    expect(await flowrra.jobs.cancelAll({ task: 'Bulk.flaky', tag: 'drop' })).toBe(20);
    expect(await ids({ status: 'pending' })).toEqual([...kept].sort());
    await flowrra.queues.resume('default');
    await advance(1_000);
    const results = await Promise.all(kept.map((id) => flowrra.waitForResult(id)));
    expect(results.every(({ status }) => status === 'success')).toBe(true);
    expect(await ids({ status: 'cancelled' })).toEqual([...cancelled].sort());
  });

  it('removes finished jobs with their results and tags', async () => {
    const { flowrra, bulk, ids, counts, failed, other, fine } = await startFailed(15);
    const waiting = await flowrra.with({ delay: '1h', tags: ['batch'] }).submit(bulk.fine, 2);
    const ended = await flowrra.with({ delay: '1h' }).submit(bulk.fine, 3);
    await flowrra.cancel(ended);
    expect(await flowrra.jobs.removeAll({ status: 'success', dryRun: true })).toBe(1);
    expect(await flowrra.jobs.removeAll({ tag: 'batch', status: ['failed', 'cancelled'] })).toBe(15);
    expect(await ids({ tag: 'batch' })).toEqual([waiting, fine].sort());
    expect(await flowrra.getResult(failed[0] as string)).toBeNull();
    expect(await counts()).toEqual({ waiting: 1, success: 1, failed: 1, cancelled: 1 });
    expect(await flowrra.jobs.removeAll({ status: 'cancelled' })).toBe(1);
    expect(await flowrra.jobs.removeAll()).toBe(2);
    expect(await ids({})).toEqual([waiting]);
    expect(await flowrra.getResult(other)).toBeNull();
    expect(await counts()).toEqual({ waiting: 1, success: 0, failed: 0, cancelled: 0 });
  });

  it('frees the dedupe keys of cancelled and removed jobs, and a retried job takes its key again', async () => {
    const { flowrra, bulk, advance } = await start();
    const keyed = (key: string, delay = 0) => flowrra.with({ dedupe: { key }, delay });
    const first = await keyed('a', 3_600_000).submit(bulk.fine, 1);
    expect(await flowrra.jobs.cancelAll()).toBe(1);
    const second = await keyed('a', 3_600_000).submit(bulk.fine, 1);
    expect(second).not.toBe(first);
    const flaky = await keyed('b').submit(bulk.flaky, 1);
    await advance(1_000);
    await flowrra.waitForResult(flaky);
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retryAll()).toBe(1);
    expect(await keyed('b').submit(bulk.flaky, 2)).toBe(flaky);
    bulk.healed = true;
    await flowrra.queues.resume('default');
    await advance(1_000);
    await flowrra.waitForResult(flaky);
    expect(await flowrra.jobs.removeAll({ task: 'Bulk.flaky' })).toBe(1);
    expect(await keyed('b', 3_600_000).submit(bulk.flaky, 3)).not.toBe(flaky);
  });

  it('works in several steps, and two calls at once do each job once', async () => {
    const { flowrra, bulk, counts } = await start({ maxResults: 10_000 });
    const many = await flowrra.with({ delay: '1h', tags: ['many'] }).submitMany(bulk.fine, numbers(1_300));
    const [one, two] = await Promise.all([flowrra.jobs.cancelAll({ tag: 'many' }), flowrra.jobs.cancelAll()]);
    expect(one + two).toBe(many.length);
    expect(await counts()).toEqual({ waiting: 0, success: 0, failed: 0, cancelled: many.length });
    const removed = await Promise.all([flowrra.jobs.removeAll(), flowrra.jobs.removeAll({ tag: 'many' })]);
    expect(removed[0] + removed[1]).toBe(many.length);
    expect(await counts()).toEqual({ waiting: 0, success: 0, failed: 0, cancelled: 0 });
  });

  it('leaves out jobs that were submitted after the call', async () => {
    const { flowrra, bulk, ids, advance } = await start();
    await flowrra.with({ delay: '1h' }).submitMany(bulk.fine, numbers(900));
    const call = flowrra.jobs.cancelAll();
    await advance(1);
    const later = await flowrra.with({ delay: '1h' }).submitMany(bulk.fine, numbers(3));
    expect(await call).toBe(900);
    expect(await ids({ status: 'pending' })).toEqual([...later].sort());
  });

  it('a call during a stop resolves, or rejects with ExecutorNotRunningError', async () => {
    const { flowrra, bulk, advance } = await start({ maxResults: 10_000 });
    await flowrra.with({ delay: '1h', tags: ['many'] }).submitMany(bulk.fine, numbers(1_000));
    const calls = Promise.allSettled([
      flowrra.jobs.cancelAll({ tag: 'many' }),
      flowrra.jobs.removeAll(),
      flowrra.jobs.retryAll({ dryRun: true }),
    ]);
    const stopped = flowrra.stop({ wait: false });
    await advance(60_000);
    await stopped;
    for (const call of await calls)
      if (call.status === 'rejected') expect(call.reason).toBeInstanceOf(ExecutorNotRunningError);
    await expect(flowrra.jobs.cancelAll()).rejects.toThrow(ExecutorNotRunningError);
  });

  it('while jobs are submitted and run, each job is changed once by each operation, and counts and tags fit', async () => {
    const { flowrra, bulk, advance, ids, counts, seen } = await start({ maxResults: 10_000 });
    const submitted: string[] = [];
    let cancelled = 0;
    for (let n = 0; n < 15; n++) {
      const tags = ['all', `of ${n % 3}`];
      const batch = await Promise.all([
        flowrra.with({ tags }).submitMany(n % 2 === 0 ? bulk.fine : bulk.flaky, numbers(20)),
        flowrra.with({ tags, delay: '1m' }).submitMany(bulk.fine, numbers(10)),
        flowrra.jobs.retryAll({ tag: `of ${(n + 1) % 3}` }),
        flowrra.jobs
          .cancelAll({ tag: `of ${n % 3}`, status: 'pending' })
          .then((count) => (cancelled += count)),
        flowrra.jobs.removeAll({ status: 'success', tag: `of ${(n + 2) % 3}` }),
      ]);
      submitted.push(...batch[0], ...batch[1]);
      await advance(20);
    }
    await advance(120_000);
    await until(async () => (await counts()).waiting === 0, { describe: 'the end of all jobs' });
    const told = submitted.map((id) => types(seen, id).filter((type) => type === 'cancelled').length);
    expect(Math.max(...told)).toBeLessThanOrEqual(1);
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(cancelled);
    const left = await ids({});
    expect(await ids({ tag: 'all' })).toEqual(left);
    const { success, failed, cancelled: ended } = await counts();
    expect(success + failed + ended).toBe(left.length);
    expect(ended).toBe(cancelled);
    expect(await flowrra.jobs.removeAll({ tag: 'all' })).toBe(left.length);
    expect(await ids({ tag: 'all' })).toEqual([]);
  });

  it('a configured backend is told of each change', async () => {
    const backend = new InMemoryBackend({ resultTtl: '10000d' });
    const { flowrra, bulk, advance, failed, other } = await startFailed(5, { backend });
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retryAll({ tag: 'batch', dryRun: true })).toBe(5);
    expect(await flowrra.jobs.retryAll({ tag: 'batch' })).toBe(5);
    for (const id of failed) expect(await backend.get(id)).toMatchObject({ status: 'pending', retries: 0 });
    expect(await flowrra.jobs.cancelAll({ tag: 'batch' }, { reason: 'no' })).toBe(5);
    for (const id of failed)
      expect(await backend.get(id)).toMatchObject({ status: 'cancelled', error: 'no' });
    expect(await flowrra.jobs.removeAll({ tag: 'batch' })).toBe(6);
    for (const id of failed) expect(await backend.get(id)).toBeNull();
    expect(await backend.get(other)).toMatchObject({ status: 'failed' });
    bulk.healed = true;
    await flowrra.queues.resume('default');
    expect(await flowrra.jobs.retryAll()).toBe(1);
    await advance(1_000);
    expect(await flowrra.waitForResult(other)).toMatchObject({ status: 'success' });
  });

  it('rejects a status to which an operation does not apply, and unknown options', async () => {
    const { flowrra } = await start();
    await expect(flowrra.jobs.retryAll({ status: 'success' })).rejects.toThrow(
      'retryAll() applies to jobs with the status failed only',
    );
    await expect(flowrra.jobs.cancelAll({ status: ['pending', 'failed'] })).rejects.toThrow(
      'cancelAll() applies to jobs with the status pending, retrying, suspended, running only',
    );
    await expect(flowrra.jobs.removeAll({ status: 'running' })).rejects.toThrow(
      'removeAll() applies to jobs with the status success, failed, cancelled only',
    );
    await expect(flowrra.jobs.removeAll({ limit: 1 } as object)).rejects.toThrow("unknown option 'limit'");
    await expect(flowrra.jobs.cancelAll({}, { reason: '' })).rejects.toThrow('reason: ');
    await expect(flowrra.jobs.cancelAll({}, { cause: 'x' } as object)).rejects.toThrow(
      "unknown option 'cause'",
    );
  });
}
