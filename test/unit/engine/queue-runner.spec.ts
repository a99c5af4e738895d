import { jest } from '@jest/globals';
import { LoopBudget } from '../../../lib/engine/embedded/loop-budget.js';
import { QueueRunner } from '../../../lib/engine/embedded/queue-runner.js';
import type { MaybePromise } from '../../../lib/job/async.js';
import type { Attempt } from '../../../lib/job/job.js';
import type { ResolvedQueue } from '../../../lib/job/queue.js';
import { queueOf } from '../../support/jobs.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { attemptOf } from '../../support/run-parts.js';

/** A store of jobs that come due one after the other. */
function setUp(queue: Partial<ResolvedQueue> = {}) {
  const clock = new ManualClock();
  const due: { at: number; taskId: string }[] = [];
  const attempts: string[] = [];
  const failed = jest.fn();
  const released = jest.fn();
  const store = {
    claim: jest.fn((_queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> => {
      const ready = due.filter(({ at }) => at <= now).slice(0, limit);
      for (const job of ready) due.splice(due.indexOf(job), 1);
      return ready.map(({ taskId }) => attemptOf({ taskId }));
    }),
    nextDue: () => (due.length === 0 ? null : Math.min(...due.map(({ at }) => at))),
  };
  const budget: LoopBudget = new LoopBudget(() => runner.pump());
  const runner: QueueRunner = new QueueRunner(queueOf('q', queue), {
    store,
    clock,
    budget,
    idle: { check: () => undefined },
    outcomes: { write: released },
    start: ({ taskId }) => void attempts.push(taskId),
    failed,
  });
  const add = (taskId: string, delay = 0): void => {
    due.push({ at: clock.now() + delay, taskId });
    runner.wake();
  };
  return { clock, store, runner, attempts, failed, released, add };
}

it('starts as many as it has places, outside of the submission, and more when one is free', async () => {
  const { runner, attempts, add } = setUp({ concurrency: 2 });
  runner.resume();
  for (const taskId of ['a', 'b', 'c']) add(taskId);
  expect(attempts).toEqual([]);
  await settle();
  expect(attempts).toEqual(['a', 'b']);
  runner.release();
  expect(attempts).toEqual(['a', 'b', 'c']);
});

it('wakes up when a delayed job is due, with one timer', async () => {
  const { clock, runner, attempts, add } = setUp({ concurrency: 5 });
  runner.resume();
  add('late', 5_000);
  add('soon', 1_000);
  await settle();
  expect(clock.armed).toBe(1);
  await clock.advance(1_000);
  expect(attempts).toEqual(['soon']);
  await clock.advance(4_000);
  expect(attempts).toEqual(['soon', 'late']);
  expect(clock.armed).toBe(0);
});

it('starts nothing while it is paused', async () => {
  const { clock, runner, attempts, add } = setUp();
  runner.resume();
  add('a', 1_000);
  await settle();
  runner.pause();
  add('b');
  await clock.advance(2_000);
  expect(attempts).toEqual([]);
  expect(clock.armed).toBe(0);
});

it('releases the jobs of a claim that is answered after the pause', async () => {
  const { store, runner, attempts, released } = setUp();
  store.claim.mockImplementation(async () => [attemptOf({ taskId: 'a' })]);
  runner.resume();
  await Promise.resolve();
  expect(runner.isClaiming).toBe(true);
  runner.pause();
  await settle();
  expect(attempts).toEqual([]);
  expect(released).toHaveBeenCalledWith(
    expect.objectContaining({ taskId: 'a' }),
    { kind: 'released', delay: 0 },
    expect.anything(),
  );
});

it('reads a store that failed again after a second', async () => {
  const { clock, store, runner, attempts, failed, add } = setUp();
  store.claim.mockImplementationOnce(() => {
    throw new Error('locked');
  });
  store.claim.mockImplementationOnce(() => Promise.reject(new Error('locked')));
  runner.resume();
  add('a');
  await clock.advance(1_000);
  expect(failed).toHaveBeenCalledTimes(2);
  await clock.advance(1_000);
  expect(attempts).toEqual(['a']);
});

it('starts no more than its rate limit, and says when the next may start', async () => {
  const { clock, runner, attempts, add } = setUp({ concurrency: 9, rateLimit: { max: 2, per: 1_000 } });
  runner.resume();
  for (const taskId of ['a', 'b', 'c']) add(taskId);
  await settle();
  expect(attempts).toEqual(['a', 'b']);
  expect(await runner.nextDue()).toBe(clock.now() + 1_000);
  await clock.advance(1_000);
  expect(attempts).toEqual(['a', 'b', 'c']);
});

it('lets the event loop turn between many starts', async () => {
  const { runner, attempts, add } = setUp({ concurrency: Infinity });
  runner.resume();
  await settle();
  for (let n = 0; n < 3_000; n++) add(`job ${n}`);
  let before = -1;
  setImmediate(() => (before = attempts.length));
  await settle();
  expect(attempts).toHaveLength(3_000);
  expect(before).toBeLessThan(3_000);
});
