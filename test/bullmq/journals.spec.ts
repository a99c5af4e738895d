import { jest } from '@jest/globals';
import type { Job } from 'bullmq';
import { CANCEL_KEY, type JournalEntry, POSTS_PER_MS } from '../../lib/job/journal/journal.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import { NEVER_DUE } from '../../lib/engine/bullmq/server/job-journals.js';
import { onBoth } from './on-both.js';
import { serverJobsBed, TEXT } from './server-jobs-bed.js';

const DAY_MS = 86_400_000;
const entry = (key: string, body = '1'): JournalEntry => ({ key, body });

await onBoth((both) => {
  const bed = serverJobsBed(both);

  /** A bed on which the test claims jobs and ends their attempts by hand. */
  async function setUp() {
    const one = await bed();
    const { jobs, at, queue, add } = one;
    const { journals } = jobs;
    let claims = 0;
    /** Claims a job, and leaves it active. */
    const claim = async (id: string) => {
      const worker = one.work(() => Promise.reject(new Error('unused')), { autorun: false });
      const token = `token-${++claims}`;
      const job = (await worker.getNextJob(token, { block: false })) as Job | undefined;
      await worker.close(true);
      expect(job?.id).toBe(id);
      return { token, job: job as Job };
    };
    const nothing = async (): Promise<void> => {
      const worker = one.work(() => Promise.reject(new Error('unused')), { autorun: false });
      expect(await worker.getNextJob('none', { block: false })).toBeUndefined();
      await worker.close(true);
    };
    const keys = async (id: string) => (await journals.read(at(id)))?.entries.map(({ key }) => key);
    /** Adds, claims and suspends a job. */
    const suspended = async (id: string, delay = Infinity, appended = true) => {
      await add(id);
      const { token } = await claim(id);
      if (appended) expect(await journals.append(at(id), token, [entry('step')])).toBe(true);
      expect(await journals.suspend(at(id), token, delay, 0)).toBe(true);
      return token;
    };
    const isSuspended = async (id: string) => (await jobs.delays([at(id)]))[0]?.isSuspended;
    return { ...one, queue, journals, claim, nothing, keys, suspended, isSuspended };
  }

  it('entries keep the position of their first write, and only the current attempt appends', async () => {
    const { add, at, claim, journals, keys } = await setUp();
    expect(await journals.read(at('nobody'))).toBeNull();
    await add('job');
    expect(await journals.read(at('job'))).toEqual({ entries: [], posts: 0 });
    expect(await journals.append(at('job'), 'token', [entry('a')])).toBe(false);
    const { token } = await claim('job');
    const strange = 'a:b%3A%25:"{}\u2028é 1';
    expect(await journals.append(at('job'), token, [entry(strange, '{"n": 1}'), entry('b')])).toBe(true);
    expect(
      await journals.append(at('job'), token, [entry('c'), entry(strange, '"x y"'), entry('c', '3')]),
    ).toBe(true);
    expect(await journals.append(at('job'), 'other', [entry('d')])).toBe(false);
    expect(await journals.read(at('job'))).toEqual({
      entries: [entry(strange, '"x y"'), entry('b'), entry('c', '3')],
      posts: 0,
    });
    expect(await keys('job')).toHaveLength(3);
  });

  it('a posted entry never replaces another one, and counts', async () => {
    const { add, at, claim, journals } = await setUp();
    await add('job');
    expect(await journals.post(at('job'), entry('m', '1'), 0)).toBe('posted');
    expect(await journals.post(at('job'), entry('m', '2'), 0)).toBe('known');
    const { token } = await claim('job');
    expect(await journals.resume(at('job'))).toEqual({ isResumed: false, cancelText: null });
    await journals.append(at('job'), token, [entry('step')]);
    expect(await journals.resume(at('job'))).toEqual({ isResumed: true, cancelText: null });
    expect(await journals.post(at('job'), entry('step'), 0)).toBe('known');
    expect(await journals.post(at('job'), entry('n'), 0)).toBe('posted');
    expect(await journals.read(at('job'))).toEqual({
      entries: [entry('m'), entry('step'), entry('n')],
      posts: 2,
    });
    expect(await journals.post(at('nobody'), entry('m'), 0)).toBe('unknown');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => journals.post(at('job'), entry('race'), 0)),
    );
    expect(answers.filter((answer) => answer === 'posted')).toHaveLength(1);
    expect((await journals.read(at('job')))?.posts).toBe(3);
  });

  it('a job that has ended takes no entries, and keeps its journal until it is removed', async () => {
    const { add, at, journals, jobs, work, keys } = await setUp();
    await add('job');
    await journals.post(at('job'), entry('m'), 0);
    const ended = new Promise<unknown>((resolve) => {
      work(async () => Promise.reject(new Error('no'))).on('failed', resolve);
    });
    await ended;
    expect(await journals.post(at('job'), entry('n'), 0)).toBe('finished');
    expect(await journals.post(at('job'), entry('n'), Date.now() + DAY_MS)).toBe('unknown');
    expect(await keys('job')).toEqual(['m']);
    expect(await journals.forget(at('job'), ['other', 'm'], entry('mark'))).toBe(true);
    expect(await keys('job')).toEqual(['mark']);
    expect(await journals.forget(at('job'), [], entry('mark'))).toBe(true);
    expect(await keys('job')).toEqual(['mark']);
    expect(await jobs.remove(at('job'))).toBe(true);
    expect(await journals.read(at('job'))).toBeNull();
    expect(await journals.forget(at('job'), ['m'], entry('mark'))).toBe(false);
    await add('job', { delay: DAY_MS });
    expect(await journals.read(at('job'))).toEqual({ entries: [], posts: 0 });
    expect(await journals.forget(at('job'), ['m'], entry('mark'))).toBe(false);
  });

  it('another program can remove a job with a journal, and nothing of it stays', async () => {
    const { prefix, queue, at, journals, suspended, isSuspended, add } = await setUp();
    await add('abc', { delay: DAY_MS });
    await suspended('job');
    await journals.post(at('job'), entry(`${prefix}:q:abc`), 0);
    await (await queue.getJob('job'))?.remove();
    expect(await journals.read(at('job'))).toBeNull();
    expect(await queue.getJobState('abc')).toBe('delayed');
    await suspended('other', DAY_MS);
    await (await queue.getJob('other'))?.remove();
    await add('other', { delay: DAY_MS });
    expect(await isSuspended('other')).toBe(false);
    expect(await journals.read(at('other'))).toEqual({ entries: [], posts: 0 });
  });

  it('a suspended job is delayed for BullMQ, and counts until it is due', async () => {
    const { queue, jobs, at, add, journals, suspended, isSuspended, nothing, states } = await setUp();
    await suspended('never');
    await suspended('day', DAY_MS);
    await add('plain', { delay: 2 * DAY_MS });
    const ids = ['never', 'day', 'plain'];
    expect(await states(...ids)).toEqual(['delayed', 'delayed', 'delayed']);
    const delays = await jobs.delays(ids.map(at));
    expect(delays.map(({ isSuspended }) => isSuspended)).toEqual([true, true, false]);
    expect(delays[0]?.dueAt).toBeNull();
    expect(Math.abs((delays[1]?.dueAt ?? 0) - Date.now() - DAY_MS)).toBeLessThan(60_000);
    expect(await journals.suspendedCount('q')).toBe(2);
    expect(new Set(await jobs.list('q', 'suspended', 0, 10))).toEqual(new Set(['never', 'day']));
    await nothing();
    await (await queue.getJob('day'))?.promote();
    expect(await isSuspended('day')).toBe(false);
    expect(NEVER_DUE * 4_096).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });

  it('a place is free while a job is suspended, and the attempt has ended', async () => {
    const { at, journals, suspended, queue } = await setUp();
    const token = await suspended('job');
    expect(await journals.suspend(at('job'), token, 0, 0)).toBe(false);
    expect(await journals.append(at('job'), token, [entry('late')])).toBe(false);
    expect(await queue.getActiveCount()).toBe(0);
    const job = await queue.getJob('job');
    expect(job?.attemptsMade).toBe(0);
    expect(job?.failedReason).toBeFalsy();
  });

  it('an entry wakes a suspended job at once, and no running one', async () => {
    const { at, journals, suspended, claim, isSuspended, states, keys } = await setUp();
    await suspended('job');
    expect(await journals.post(at('job'), entry('m'), 0)).toBe('posted');
    expect(await states('job')).toEqual(['waiting']);
    expect(await isSuspended('job')).toBe(false);
    expect(await journals.suspendedCount('q')).toBe(0);
    const { token, job } = await claim('job');
    expect(job.attemptsStarted).toBe(2);
    expect(await journals.post(at('job'), entry('n'), 0)).toBe('posted');
    expect(await states('job')).toEqual(['active']);
    // The attempt has seen one of two.
    expect(await journals.suspend(at('job'), token, Infinity, 1)).toBe(true);
    expect(await states('job')).toEqual(['waiting']);
    const next = await claim('job');
    expect(await journals.suspend(at('job'), next.token, Infinity, 2)).toBe(true);
    expect(await isSuspended('job')).toBe(true);
    expect(await keys('job')).toEqual(['step', 'm', 'n']);
  });

  it('no wake-up is lost between a suspension and a message', async () => {
    const { add, at, claim, journals, states } = await setUp();
    for (const id of ['one', 'two', 'three', 'four', 'five']) {
      await add(id);
      // Fewer than those from which on entries share a wake-up.
      for (let round = 0; round < POSTS_PER_MS - 1; round++) {
        const { token } = await claim(id);
        const post = () => journals.post(at(id), entry(`m${round}`), 0);
        const suspend = () => journals.suspend(at(id), token, Infinity, round);
        const calls = round % 2 === 0 ? [post(), suspend()] : [suspend(), post()];
        expect(await Promise.all(calls)).toEqual(expect.arrayContaining(['posted', true]));
        expect(await states(id)).toEqual(['waiting']);
      }
      await claim(id);
    }
  });

  it('many entries share a wake-up, and never put it off', async () => {
    const { add, at, claim, jobs, journals } = await setUp();
    await add('job');
    const { token } = await claim('job');
    for (let n = 0; n < 30; n++) await journals.post(at('job'), entry(`m${n}`), 0);
    expect(await journals.suspend(at('job'), token, DAY_MS, 30)).toBe(true);
    const before = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(before);
    for (const key of ['first', 'second'])
      expect(await journals.post(at('job'), entry(key), 0)).toBe('posted');
    expect(await jobs.delays([at('job')])).toEqual([{ dueAt: before + 3, isSuspended: true }]);
    jest.restoreAllMocks();
  });

  it('the job of an appended journal is not ended by a cancellation: its journal tells it', async () => {
    const { add, at, cancel, claim, jobs, journals, states, suspended, keys } = await setUp();
    await suspended('job');
    expect(await jobs.cancel(at('job'), TEXT)).toEqual({ kind: 'signalled', text: null });
    expect(await states('job')).toEqual(['waiting']);
    expect(await jobs.cancel(at('job'), cancelText('again'))).toEqual({ kind: 'signalled', text: null });
    const journal = await journals.read(at('job'));
    expect(journal?.posts).toBe(1);
    expect(journal?.entries.map(({ key }) => key)).toEqual(['step', CANCEL_KEY]);
    expect(JSON.parse(journal?.entries[1]?.body ?? '')).toEqual({ reason: 'no longer wanted' });
    const { token } = await claim('job');
    expect(await journals.resume(at('job'))).toEqual({ isResumed: true, cancelText: null });
    await journals.suspend(at('job'), token, DAY_MS, 1);

    await suspended('late', DAY_MS);
    expect(await cancel('late', TEXT)).toBe('signalled');
    expect(await states('late')).toEqual(['waiting']);
    await claim('late');

    await suspended('posted', DAY_MS, false);
    expect(await cancel('posted', TEXT)).toBe('cancelled');
    expect(await states('posted')).toEqual(['failed']);
    expect(await keys('posted')).toEqual([]);
    expect(await journals.suspendedCount('q')).toBe(1);
    expect(await jobs.cancelledCount('q')).toBe(1);
    await add('plain', { delay: DAY_MS });
    await journals.post(at('plain'), entry('m'), 0);
    expect(await cancel('plain', TEXT)).toBe('cancelled');
  });

  it('an active job with an appended journal keeps the cancellation for its next attempt', async () => {
    const { add, at, claim, jobs, journals, states, queue, keys } = await setUp();
    await add('job');
    const { token } = await claim('job');
    expect(await jobs.cancel(at('job'), TEXT)).toEqual({ kind: 'signalled', text: TEXT });
    expect((await queue.getJob('job'))?.deferredFailure).toBe(TEXT);
    // Before the attempt has heard of it, it appends: BullMQ must not end the job without a run.
    await journals.append(at('job'), token, [entry('step')]);
    expect((await queue.getJob('job'))?.deferredFailure).toBeFalsy();
    const journalled = { ...at('job'), isJournalled: true };
    expect(await jobs.cancelTexts([journalled])).toEqual([TEXT]);
    expect(await jobs.cancel(at('job'), cancelText('again'))).toEqual({ kind: 'signalled', text: TEXT });
    expect(await keys('job')).toEqual(['step']);
    expect(await journals.resume(at('job'))).toEqual({ isResumed: true, cancelText: TEXT });
    await journals.suspend(at('job'), token, DAY_MS, 0);
    expect(await states('job')).toEqual(['waiting']);
    expect(await keys('job')).toEqual(['step', CANCEL_KEY]);
    await claim('job');
    expect(await journals.resume(at('job'))).toEqual({ isResumed: true, cancelText: null });
  });

  it('a bulk cancellation tells the jobs with a journal, and counts them once each', async () => {
    const { add, at, cancel, claim, jobs, journals, states, suspended } = await setUp();
    await suspended('woken');
    await cancel('woken', TEXT);
    await claim('woken');
    await suspended('a');
    await suspended('b', DAY_MS);
    await suspended('c', DAY_MS, false);
    await add('plain', { delay: DAY_MS });
    const conditions = {
      status: ['suspended' as const],
      task: undefined,
      queue: undefined,
      from: undefined,
      to: Date.now() + DAY_MS,
      finishedBefore: undefined,
      tag: undefined,
    };
    const call = { kind: 'cancel' as const, conditions, dryRun: false, expired: 0, text: TEXT };
    const dry = await jobs.bulk('q', 'delayed', { ...call, dryRun: true }, null);
    expect(dry).toMatchObject({ count: 3, position: null });
    const answer = await jobs.bulk('q', 'delayed', call, null);
    expect(answer).toMatchObject({ count: 3, position: null });
    const kinds = Object.fromEntries(answer.changes.map(({ taskId, kind, text }) => [taskId, [kind, text]]));
    expect(kinds).toEqual({ a: ['signalled', ''], b: ['signalled', ''], c: ['cancelled', TEXT] });
    expect(await states('a', 'b', 'c', 'plain')).toEqual(['waiting', 'waiting', 'failed', 'delayed']);
    const pending = { ...call, conditions: { ...conditions, status: ['pending' as const] } };
    const again = await jobs.bulk('q', 'waiting', pending, null);
    expect(again.changes.map(({ taskId, kind }) => [taskId, kind]).sort()).toEqual([
      ['a', 'signalled'],
      ['b', 'signalled'],
    ]);
    expect((await journals.read(at('a')))?.posts).toBe(1);
    expect(await states('a', 'b')).toEqual(['waiting', 'waiting']);
  });

  it('a failed job that is retried keeps its journal, and no cancellation', async () => {
    const { add, at, jobs, journals, claim, keys, states, queue } = await setUp();
    await add('job');
    const { token } = await claim('job');
    await journals.append(at('job'), token, [entry('step')]);
    expect((await jobs.cancel(at('job'), TEXT)).kind).toBe('signalled');
    await (await queue.getJob('job'))?.moveToFailed(new Error('no'), token, false);
    expect(await states('job')).toEqual(['failed']);
    expect(await jobs.retry(at('job'))).toBe(true);
    expect(await keys('job')).toEqual(['step']);
    await claim('job');
    expect(await journals.resume(at('job'))).toEqual({ isResumed: true, cancelText: null });
  });

  it('a job with a priority waits among its equals when it comes due', async () => {
    const { add, at, claim, journals, states } = await setUp();
    await add('job', { priority: 5 });
    const { token } = await claim('job');
    await journals.suspend(at('job'), token, Infinity, 0);
    await add('later', { priority: 5 });
    await add('first', { priority: 4 });
    await journals.post(at('job'), entry('m'), 0);
    expect(await states('job')).toEqual(['prioritized']);
    for (const id of ['first', 'later', 'job']) await claim(id);
    expect(await states('job')).toEqual(['active']);
  });
});
