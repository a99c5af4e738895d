import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { BulkCall } from '../../lib/engine/bullmq/server/bull-server.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import { onBoth } from './on-both.js';
import { KEEP, serverJobsBed, TEXT } from './server-jobs-bed.js';

await onBoth((both) => {
  const setUp = serverJobsBed(both);

  it('a job in any waiting state fails in one step, once', async () => {
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

  it('an operation on many jobs keeps the newest failed jobs, up to the maximum', async () => {
    const { jobs, add, states } = await setUp({ age: 60, count: 5 });
    const ids = Array.from({ length: 60 }, (_, n) => `job${n + 10}`);
    for (const id of ids) await add(id);
    const conditions = { task: undefined, queue: undefined, tag: undefined, from: undefined, to: undefined };
    const call: BulkCall = {
      kind: 'cancel',
      conditions: { ...conditions, finishedBefore: undefined, status: ['pending'] },
      dryRun: false,
      expired: -1,
      text: TEXT,
    };
    let count = 0;
    for (let position: string | null | undefined; position !== null;) {
      const answer = await jobs.bulk('q', 'waiting', call, position ?? null);
      count += answer.count;
      ({ position } = answer);
    }
    expect(count).toBe(60);
    const left = await states(...ids);
    expect(left.slice(0, -5).every((state) => state === 'unknown')).toBe(true);
    expect(left.slice(-5)).toEqual(Array.from({ length: 5 }, () => 'failed'));
  });

  it('workers that claim jobs at the same time get exactly those that were not cancelled', async () => {
    const { cancel, add, work, states } = await setUp({ age: 60, count: 1_000 });
    const ids = Array.from({ length: 60 }, (_, n) => `job${n}`);
    for (const id of ids) await add(id);
    const ran = new Set<string>();
    work(async ({ id }) => void ran.add(id as string), { concurrency: 5 });
    const answers = await Promise.all(ids.toReversed().map((id) => cancel(id, TEXT)));
    answers.reverse();
    const areOver = async (): Promise<boolean> =>
      (await states(...ids)).every((state) => state === 'completed' || state === 'failed');
    await until(areOver, { describe: 'every job is completed or failed' });
    for (const [n, state] of (await states(...ids)).entries()) {
      const id = ids[n] as string;
      if (answers[n] === 'cancelled') expect([id, state, ran.has(id)]).toEqual([id, 'failed', false]);
      else expect([id, state, ran.has(id)]).toEqual([id, 'completed', true]);
    }
  });

  it('an active job keeps the first text, and BullMQ fails it instead of running it again', async () => {
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
    expect(await jobs.cancelTexts([at('job'), at('nobody')])).toEqual([null, null]);
    expect(await cancel('job', TEXT)).toBe('signalled');
    expect(await cancel('job', cancelText('again'))).toBe('signalled');
    expect(await jobs.cancelTexts([at('nobody'), at('job')])).toEqual([null, TEXT]);
    gate.open();
    await until(async () => (await queue.getJobState('job')) === 'failed', { describe: 'the job fails' });
    expect(runs).toBe(1);
    expect(await queue.getJob('job')).toMatchObject({ failedReason: TEXT });
    expect(await cancel('job', TEXT)).toBe('finished');
  });

  it('a signalled job that waits again ends at the next cancellation, for the first reason', async () => {
    const { queue, cancel, add, work } = await setUp();
    await add('job', { attempts: 5, backoff: 60_000 });
    const worker = work(async () => {
      expect(await cancel('job', TEXT)).toBe('signalled');
      throw new Error('in a minute');
    });
    await once(worker, 'failed');
    expect(await queue.getJobState('job')).toBe('delayed');
    expect(await cancel('job', cancelText('again'))).toBe('cancelled');
    expect(await queue.getJob('job')).toMatchObject({ failedReason: TEXT, attemptsMade: 2 });
  });

  it('the child of a flow is failed by BullMQ, without a run, so that its parent goes on', async () => {
    const { queue, cancel, add, work, states } = await setUp();
    await add('above');
    await add('child', { parent: { id: 'above', queue: queue.qualifiedName } });
    expect(await cancel('child', TEXT)).toBe('signalled');
    expect(await states('child')).toEqual(['waiting']);
    const ran: unknown[] = [];
    work(async ({ id }) => void ran.push(id));
    await until(async () => (await queue.getJobState('child')) === 'failed', { describe: 'the child fails' });
    expect(await queue.getJob('child')).toMatchObject({ failedReason: TEXT });
    expect(ran).toEqual(['above']);
  });

  it('a cancelled job that BullMQ has deleted no longer counts', async () => {
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

  it('cancelled jobs count towards the number of failed jobs that are kept', async () => {
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
});
