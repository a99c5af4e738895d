import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { Job, JobsOptions, Queue } from 'bullmq';
import type { AnyWorker, BullServer } from '../../lib/engine/bullmq/bull-server.interface.js';
import { resolveBullMqOptions } from '../../lib/engine/bullmq/bullmq-options.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import { PostgresServer } from '../../lib/engine/bullmq/postgres-server.js';
import { RedisServer } from '../../lib/engine/bullmq/redis-server.js';
import type { JobList } from '../../lib/engine/bullmq/server-jobs.interface.js';
import { Gate } from '../support/gate.js';
import { place } from './apps.js';
import { onBoth } from './on-both.js';

jest.setTimeout(30_000);

const TEXT = cancelText('no longer wanted');
const KEEP = { age: 3_600, count: 5 };
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

/** What these do to a failed job, and how it stands then, if they come one after the other. */
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

await onBoth(({ url, queue: openQueue }) => {
  let server: BullServer;
  const workers: AnyWorker[] = [];

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.close(true)));
    await server.close();
  });

  async function setUp(keep = KEEP) {
    const prefix = place();
    const options = resolveBullMqOptions({ connection: url, prefix });
    server = url.startsWith('redis')
      ? new RedisServer(options, () => undefined)
      : await PostgresServer.create(options, 5, () => undefined);
    await server.connect();
    const queue: Queue = openQueue(prefix, 'q');
    const jobs = server.jobs(keep, () => Date.now());
    const at = (taskId: string) => ({ queue: 'q', taskId });
    const cancel = async (taskId: string, text: string) => (await jobs.cancel(at(taskId), text)).kind;
    const work = (processor: (job: Job) => Promise<unknown>, options: object = {}): AnyWorker => {
      const quick = { drainDelay: 0.05, stalledInterval: 200, lockDuration: 400, ...options };
      const worker = server.worker('q', processor as never, quick).on('error', () => undefined);
      workers.push(worker);
      return worker;
    };
    const add = async (id: string, options: JobsOptions = {}, data: object = { args: [] }) =>
      (await queue.add('task', data, { jobId: id, ...options })).id;
    /** Fails jobs that were added. */
    const failAll = async (...ids: string[]): Promise<void> => {
      let left = ids.length;
      const worker = work(async (job) => {
        await job.log('a line');
        throw new Error('no');
      });
      const done = new Promise<void>((resolve) => worker.on('failed', () => --left === 0 && resolve()));
      await done;
      await worker.close();
    };
    const states = (...ids: string[]) => Promise.all(ids.map((id) => queue.getJobState(id)));
    return { prefix, queue, jobs, at, cancel, work, add, failAll, states };
  }

  it('a job that waits, however it does, becomes a failed one in one step, once', async () => {
    const { queue, jobs, cancel, add, states } = await setUp();
    await add('plain');
    await add('urgent', { priority: 7 });
    await add('later', { delay: 60_000 });
    for (const id of ['plain', 'urgent', 'later']) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => cancel(id, TEXT)));
      expect(answers.sort()).toEqual(['cancelled', ...Array.from({ length: 19 }, () => 'finished')]);
    }
    expect(await states('plain', 'urgent', 'later')).toEqual(['failed', 'failed', 'failed']);
    const job = await queue.getJob('later');
    expect(job).toMatchObject({ failedReason: TEXT, finishedOn: expect.any(Number) });
    expect(await queue.getJobCounts('wait', 'prioritized', 'delayed', 'failed')).toMatchObject({ failed: 3 });
    expect(await jobs.cancelledCount('q')).toBe(3);
    expect(await cancel('nobody', TEXT)).toBe('unknown');
  });

  it('whoever takes jobs at the same time gets those that were not cancelled, and no other', async () => {
    const { cancel, add, work, states } = await setUp({ age: 60, count: 1_000 });
    const ids = Array.from({ length: 60 }, (_, n) => `job${n}`);
    for (const id of ids) await add(id);
    const ran = new Set<string>();
    work(async ({ id }) => void ran.add(id as string), { concurrency: 5 });
    const answers = await Promise.all(ids.toReversed().map((id) => cancel(id, TEXT)));
    answers.reverse();
    while ((await states(...ids)).some((state) => state !== 'completed' && state !== 'failed'))
      await pause(10);
    for (const [n, state] of (await states(...ids)).entries()) {
      const id = ids[n] as string;
      if (answers[n] === 'cancelled') expect([id, state, ran.has(id)]).toEqual([id, 'failed', false]);
      else expect([id, state, ran.has(id)]).toEqual([id, 'completed', true]);
    }
  });

  it('one that is active is told, in the words of the first, and BullMQ fails it if it would run again', async () => {
    const { queue, jobs, at, cancel, add, work } = await setUp();
    await add('job', { attempts: 5, backoff: 10 });
    const started = new Gate();
    const gate = new Gate();
    let runs = 0;
    work(async () => {
      runs++;
      started.open();
      await gate.passed;
      throw new Error('once more');
    });
    await started.passed;
    expect(await jobs.requested([at('job'), at('nobody')])).toEqual([null, null]);
    expect(await cancel('job', TEXT)).toBe('told');
    expect(await cancel('job', cancelText('again'))).toBe('told');
    expect(await jobs.requested([at('nobody'), at('job')])).toEqual([null, TEXT]);
    gate.open();
    while ((await queue.getJobState('job')) !== 'failed') await pause(5);
    expect(runs).toBe(1);
    expect(await queue.getJob('job')).toMatchObject({ failedReason: TEXT });
    expect(await cancel('job', TEXT)).toBe('finished');
  });

  it('one that had been told and waits again is over at once, for the first reason', async () => {
    const { queue, cancel, add, work } = await setUp();
    await add('job', { attempts: 5, backoff: 60_000 });
    const worker = work(async () => {
      expect(await cancel('job', TEXT)).toBe('told');
      throw new Error('in a minute');
    });
    await once(worker, 'failed');
    expect(await queue.getJobState('job')).toBe('delayed');
    expect(await cancel('job', cancelText('again'))).toBe('cancelled');
    expect(await queue.getJob('job')).toMatchObject({ failedReason: TEXT, attemptsMade: 2 });
  });

  it('the child of a flow is left to BullMQ, which fails it unrun and tells its parent', async () => {
    const { queue, cancel, add, work, states } = await setUp();
    await add('above');
    await add('child', { parent: { id: 'above', queue: queue.qualifiedName } });
    expect(await cancel('child', TEXT)).toBe('told');
    expect(await states('child')).toEqual(['waiting']);
    const ran: unknown[] = [];
    work(async ({ id }) => void ran.push(id));
    while ((await queue.getJobState('child')) !== 'failed') await pause(5);
    expect(await queue.getJob('child')).toMatchObject({ failedReason: TEXT });
    expect(ran).toEqual(['above']);
  });

  it('what BullMQ has dropped is counted no more', async () => {
    const { queue, jobs, cancel, add } = await setUp();
    for (const id of ['one', 'two', 'three']) {
      await add(id);
      await cancel(id, TEXT);
    }
    await queue.remove('one');
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 120_000);
    await add('four');
    await cancel('four', TEXT);
    expect(await jobs.cancelledCount('q')).toBe(3);
    jest.restoreAllMocks();
  });

  it('cancelled ones are dropped by number, as others are that have failed', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const { queue, jobs, cancel, add } = await setUp();
    for (let n = 0; n < 8; n++) {
      await add(`job${n}`);
      await cancel(`job${n}`, TEXT);
      await pause(2);
    }
    expect(await jobs.list('q', 'failed', 0, 100)).toEqual(['job7', 'job6', 'job5', 'job4', 'job3']);
    expect(await jobs.cancelledCount('q')).toBe(KEEP.count);
    expect(await queue.getJob('job0')).toBeUndefined();
    jest.restoreAllMocks();
  });

  it('a failed job waits again as if it had never been tried, at its priority, and is taken', async () => {
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
    // It stands for its key again.
    expect(await add('other', { deduplication: { id: 'key' } })).toBe('plain');
    work(async () => 'healed');
    while ((await queue.getJobCountByTypes('completed')) < 2) await pause(5);
    expect(await states('plain', 'urgent')).toEqual(['completed', 'completed']);
    expect(await add('other', { deduplication: { id: 'key' } })).toBe('other');
  });

  it('of retry, removal and cancellation at once, each does what the one before has left', async () => {
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

  it('only a finished job is removed, with what belongs to it', async () => {
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
    // A key that has a time to live outlives its job.
    expect(await queue.getDeduplicationJobId('throttled')).toBe('broken');
  });

  it('what stands for a key gets other content while it is delayed, and its delay anew', async () => {
    const { queue, jobs, add } = await setUp();
    const by = { data: '{"args":["new"]}', delay: 120_000 };
    expect(await jobs.debounce('q', 'key', by)).toBeNull();
    await add('job', { delay: 60_000, priority: 3, deduplication: { id: 'key' } }, { args: ['old'] });
    const before = Date.now();
    expect(await jobs.debounce('q', 'key', by)).toBe('job');
    const [due] = await jobs.dueTimes([{ queue: 'q', taskId: 'job' }]);
    expect(due).toBeGreaterThanOrEqual(before + by.delay);
    expect(await queue.getJob('job')).toMatchObject({ data: { args: ['new'] }, priority: 3, id: 'job' });
    expect(await add('other', { delay: 60_000, deduplication: { id: 'key' } })).toBe('job');
    await (await queue.getJob('job'))?.promote();
    expect(await jobs.debounce('q', 'key', by)).toBeNull();
    expect(await add('other', { delay: 60_000, deduplication: { id: 'key' } })).toBe('other');
  });

  it('what is delayed since it has to be tried again is nobody else’s', async () => {
    const { jobs, queue, add, work } = await setUp();
    await add(
      'job',
      { delay: 10, attempts: 3, backoff: 60_000, deduplication: { id: 'key' } },
      { args: [1] },
    );
    const worker = work(async () => Promise.reject(new Error('later')));
    await once(worker, 'failed');
    expect(await queue.getJobState('job')).toBe('delayed');
    expect(await jobs.debounce('q', 'key', { data: '{"args":[2]}', delay: 1 })).toBeNull();
    expect(await queue.getJob('job')).toMatchObject({ data: { args: [1] } });
  });

  it('progress and rows are kept of whoever has the lease, the last ones', async () => {
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

  it('lists go on where they have ended, also among those of one moment', async () => {
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
    const due = await jobs.dueTimes(['job00d', 'job00', 'nobody'].map((taskId) => ({ queue: 'q', taskId })));
    expect(due).toEqual([Date.now() + 60_000, null, null]);
    await queue.resume();
    await failAll(...ids, ...ids);
    expect(new Set(await pages('failed')).size).toBe(24);
    for (const list of LISTS)
      if (!['failed', 'delayed'].includes(list)) expect(await pages(list)).toEqual([]);
    jest.restoreAllMocks();
  });
});
