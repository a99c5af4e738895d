import { once } from 'node:events';
import { jest } from '@jest/globals';
import type { JobList } from '../../lib/engine/bullmq/server/bull-server.js';
import { until } from '../support/until.js';
import { onBoth } from './on-both.js';
import { serverJobsBed, TEXT } from './server-jobs-bed.js';

type Act = 'retry' | 'remove' | 'cancel';
const ORDERS: Act[][] = [
  ['retry', 'remove', 'cancel'],
  ['retry', 'cancel', 'remove'],
  ['remove', 'retry', 'cancel'],
  ['remove', 'cancel', 'retry'],
  ['cancel', 'retry', 'remove'],
  ['cancel', 'remove', 'retry'],
];
const turn = (act: Act, n: number): number => ORDERS[n % ORDERS.length]?.indexOf(act) ?? 0;

/** The effects of operations on a failed job, one after the other, and its state afterwards. */
function inOrder(order: readonly Act[]): object {
  let state = 'failed';
  let cancelled = false;
  const answers: Record<string, unknown> = {};
  for (const act of order) {
    if (act === 'retry') answers[act] = state === 'failed' && !cancelled;
    if (act === 'remove') answers[act] = state === 'failed';
    if (act === 'cancel')
      answers[act] = { waiting: 'cancelled', failed: 'finished', unknown: 'unknown' }[state];
    if (act === 'retry' && answers[act] === true) state = 'waiting';
    if (act === 'remove' && answers[act] === true) state = 'unknown';
    if (answers[act] === 'cancelled') [state, cancelled] = ['failed', true];
  }
  return { ...answers, state };
}

const LISTS: JobList[] = ['active', 'waiting', 'prioritized', 'delayed', 'failed', 'completed'];

await onBoth((both) => {
  const setUp = serverJobsBed(both);

  it('retry: a failed job waits again with no attempt made, at its priority, and is claimed', async () => {
    const { queue, jobs, at, cancel, add, failAll, work, states } = await setUp();
    await add('plain', { deduplication: { id: 'key' } });
    await add('urgent', { priority: 7 });
    await failAll('plain', 'urgent');
    await add('cancelled');
    await cancel('cancelled', TEXT);
    const retried = ['plain', 'urgent', 'cancelled', 'nobody'].map(at);
    expect(await Promise.all(retried.map((one) => jobs.retry(one)))).toEqual([true, true, false, false]);
    expect(await states('plain', 'urgent', 'cancelled')).toEqual(['waiting', 'prioritized', 'failed']);
    const plain = await queue.getJob('plain');
    expect(plain).toMatchObject({ attemptsMade: 0, stalledCounter: 0, timestamp: expect.any(Number) });
    expect([plain?.finishedOn, plain?.processedOn, plain?.failedReason]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await jobs.retry(at('plain'))).toBe(false);
    // The job holds its key again.
    expect(await add('other', { deduplication: { id: 'key' } })).toBe('plain');
    work(async () => 'healed');
    await until(async () => (await queue.getJobCountByTypes('completed')) === 2, {
      describe: 'both complete',
    });
    expect(await states('plain', 'urgent')).toEqual(['completed', 'completed']);
    expect(await add('other', { deduplication: { id: 'key' } })).toBe('other');
  });

  it('of concurrent retry, remove and cancel, each acts on the state that the one before has left', async () => {
    const { queue, jobs, at, cancel, add, failAll } = await setUp({ age: 60, count: 1_000 });
    const ids = Array.from({ length: 30 }, (_, n) => `job${n}`);
    await Promise.all(ids.map((id) => add(id)));
    await failAll(...ids);
    await queue.pause();
    for (const [n, id] of ids.entries()) {
      const acts = {
        retry: () => jobs.retry(at(id)),
        remove: () => jobs.remove(at(id)),
        cancel: () => cancel(id, TEXT),
      };
      const order = (Object.keys(acts) as Act[]).sort((a, b) => turn(a, n) - turn(b, n));
      const answers = Object.fromEntries(
        await Promise.all(order.map(async (act) => [act, await acts[act]()] as const)),
      );
      expect(ORDERS.map(inOrder)).toContainEqual({ ...answers, state: await queue.getJobState(id) });
    }
  });

  it('remove: only a finished job is removed, with its logs and its key', async () => {
    const { queue, jobs, at, cancel, add, failAll, states } = await setUp();
    await add('broken', { deduplication: { id: 'throttled', ttl: 60_000 } });
    await failAll('broken');
    await add('cancelled', { delay: 60_000 });
    await cancel('cancelled', TEXT);
    await add('later', { delay: 60_000 });
    await add('next');
    const answers = ['broken', 'cancelled', 'later', 'next', 'nobody'].map((id) => jobs.remove(at(id)));
    expect(await Promise.all(answers)).toEqual([true, true, false, false, false]);
    expect(await states('broken', 'cancelled', 'later', 'next')).toEqual([
      'unknown',
      'unknown',
      'delayed',
      'waiting',
    ]);
    expect(await jobs.cancelledCount('q')).toBe(0);
    await add('broken');
    expect((await queue.getJobLogs('broken')).logs).toEqual([]);
    // A key with a time to live outlives its job.
    expect(await queue.getDeduplicationJobId('throttled')).toBe('broken');
  });

  it('debounce: the delayed job that holds a key gets new content, and a new delay', async () => {
    const { queue, jobs, add } = await setUp();
    const by = { data: '{"args":["new"]}', delay: 120_000, tags: [] };
    expect(await jobs.debounce('q', 'key', by)).toBeNull();
    await add('job', { delay: 60_000, priority: 3, deduplication: { id: 'key' } }, { args: ['old'] });
    const before = Date.now();
    expect(await jobs.debounce('q', 'key', by)).toBe('job');
    const [delayed] = await jobs.delays([{ queue: 'q', taskId: 'job' }]);
    expect(delayed?.dueAt).toBeGreaterThanOrEqual(before + by.delay);
    expect(await queue.getJob('job')).toMatchObject({ data: { args: ['new'] }, priority: 3, id: 'job' });
    expect(await add('other', { delay: 60_000, deduplication: { id: 'key' } })).toBe('job');
    await (await queue.getJob('job'))?.promote();
    expect(await jobs.debounce('q', 'key', by)).toBeNull();
    expect(await add('other', { delay: 60_000, deduplication: { id: 'key' } })).toBe('other');
  });

  it('debounce: a job that is delayed for a retry is not replaced', async () => {
    const { jobs, queue, add, work } = await setUp();
    await add(
      'job',
      { delay: 10, attempts: 3, backoff: 60_000, deduplication: { id: 'key' } },
      { args: [1] },
    );
    const worker = work(async () => Promise.reject(new Error('later')));
    await once(worker, 'failed');
    expect(await queue.getJobState('job')).toBe('delayed');
    expect(await jobs.debounce('q', 'key', { data: '{"args":[2]}', delay: 1, tags: [] })).toBeNull();
    expect(await queue.getJob('job')).toMatchObject({ data: { args: [1] } });
  });

  it('report: progress and the last rows of the lease holder are stored', async () => {
    const { queue, jobs, at, add, work } = await setUp();
    await add('job');
    const rows = (from: number, count: number) => Array.from({ length: count }, (_, n) => `row ${from + n}`);
    const worker = work(async (job) => {
      const token = job.token as string;
      await jobs.report(at('job'), token, '{"done":1}', rows(0, 2));
      expect(await queue.getJob('job')).toMatchObject({ progress: { done: 1 } });
      await jobs.report(at('job'), 'another', '{"done":9}', ['stranger']);
      await jobs.report(at('job'), token, null, rows(2, 150));
      await jobs.report(at('job'), token, '50', rows(152, 150));
      await jobs.report(at('job'), token, null, []);
    });
    await once(worker, 'completed');
    await jobs.report(at('job'), '0', '{"done":9}', ['too late']);
    expect(await queue.getJob('job')).toMatchObject({ progress: 50 });
    expect((await queue.getJobLogs('job')).logs).toEqual(rows(102, 200));
  });

  it('countStart: starts of the lease holder are counted, until the job is retried', async () => {
    const { jobs, at, add, work } = await setUp();
    await add('job');
    const counted: number[] = [];
    const count = async (token: string): Promise<unknown> =>
      counted.push(await jobs.countStart(at('job'), token));
    const worker = work(async (job) => {
      await count(job.token as string);
      await count('another');
      await count(job.token as string);
      throw new Error('no');
    });
    await once(worker, 'failed');
    await count('0');
    expect(counted).toEqual([0, expect.any(Number), 1, expect.any(Number)]);
    counted.length = 0;
    expect(await jobs.retry(at('job'))).toBe(true);
    await once(worker, 'failed');
    expect(counted).toEqual([0, expect.any(Number), 1]);
  });

  it('list: pages continue without a gap, also among jobs of the same millisecond', async () => {
    const { jobs, add, failAll, queue } = await setUp();
    const ids = Array.from({ length: 12 }, (_, n) => `job${String(n).padStart(2, '0')}`);
    jest.spyOn(Date, 'now').mockReturnValue(Date.now());
    await queue.pause();
    for (const id of ids) await add(id);
    for (const id of ids) await add(`${id}p`, { priority: 2 });
    for (const id of ids) await add(`${id}d`, { delay: 60_000 });
    const pages = async (list: JobList): Promise<string[]> => {
      const found: string[] = [];
      for (;;) {
        const page = await jobs.list('q', list, found.length, 5);
        if (page.length === 0) return found;
        found.push(...page);
      }
    };
    expect(await pages('waiting')).toEqual(ids);
    expect(await pages('prioritized')).toEqual(ids.map((id) => `${id}p`));
    expect(await pages('delayed')).toEqual(ids.map((id) => `${id}d`));
    const delays = await jobs.delays(['job00d', 'job00', 'nobody'].map((taskId) => ({ queue: 'q', taskId })));
    expect(delays.map(({ dueAt }) => dueAt)).toEqual([Date.now() + 60_000, null, null]);
    expect(delays.some(({ isSuspended }) => isSuspended)).toBe(false);
    await queue.resume();
    await failAll(...ids, ...ids);
    expect(new Set(await pages('failed')).size).toBe(24);
    for (const list of LISTS)
      if (!['failed', 'delayed'].includes(list)) expect(await pages(list)).toEqual([]);
    jest.restoreAllMocks();
  });
});
