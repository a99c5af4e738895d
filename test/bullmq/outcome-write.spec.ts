import { jest } from '@jest/globals';
import type { JobsOptions } from 'bullmq';
import { BullAttempt } from '../../lib/engine/bullmq/work/bull-attempt.js';
import { BullRun } from '../../lib/engine/bullmq/work/bull-runs.js';
import { Run } from '../../lib/run/run.js';
import type { AnyJob } from '../../lib/engine/bullmq/server/bull-server.js';
import { countResultsRarely } from '../../lib/engine/bullmq/work/before-start.js';
import type { AttemptError } from '../../lib/job/job.js';
import type { Outcome } from '../../lib/job/outcome.js';

const TOKEN = 'token';
const ERROR: AttemptError = { attempt: 1, name: 'Error', message: 'no', code: null, stack: null, at: 0 };
const deadlock = () => Object.assign(new Error('deadlock detected'), { code: '40P01' });
const taken = () => Object.assign(new Error('Lock mismatch'), { code: -6 });
/** BullMQ tries again after such an error; it takes any other error as the job's failure. */
const toTryAgain = { code: 'ECONNREFUSED' };

function setUp() {
  const server = {
    moveToCompleted: jest.fn(async () => [] as unknown[]),
    moveToFailed: jest.fn(async () => [] as unknown[]),
    moveToWait: jest.fn(async () => 0),
    moveToDelayed: jest.fn(async () => undefined),
    updateData: jest.fn(async (_data: unknown) => undefined),
  };
  const job = { id: 'id', name: 'task', data: { args: [] }, opts: {}, attemptsMade: 0, timestamp: 0 };
  const bull = { ...job, ...server } as unknown as AnyJob;
  const lost = jest.fn();
  const report = jest.fn();
  const noteCancelled = jest.fn(async () => undefined);
  const suspend = jest.fn(async () => true);
  const cannotStore = (error: unknown): boolean => (error as { code?: unknown }).code === '22P05';
  const attempt = new BullAttempt(bull, 'default', 0, 0, false);
  const live = new Run(attempt, { registry: { definition: () => undefined } } as never);
  const run = new BullRun(bull, live, attempt, {
    server: { cannotStore },
    jobs: { noteCancelled, journals: { suspend } as never },
    outages: { report },
    now: () => 1_000,
    lost,
  });
  /** Stores an outcome as BullMQ's worker does, once. */
  const store = async (outcome: Outcome): Promise<unknown> => {
    let value: unknown;
    try {
      value = run.settle(outcome);
    } catch (error) {
      return bull.moveToFailed(error as Error, TOKEN, true);
    }
    return bull.moveToCompleted(value, TOKEN, true);
  };
  return { server, bull, run, lost, report, noteCancelled, suspend, store };
}

it('a success that the server could not store is stored again, and never becomes a failure', async () => {
  const { server, bull, lost, report, store } = setUp();
  server.moveToCompleted.mockRejectedValue(deadlock());
  await expect(store({ kind: 'success', result: 1 })).rejects.toMatchObject(toTryAgain);
  expect(report).toHaveBeenCalledTimes(1);
  await expect(bull.moveToFailed(deadlock(), TOKEN)).rejects.toMatchObject(toTryAgain);
  expect(server.moveToFailed).not.toHaveBeenCalled();
  expect(lost).not.toHaveBeenCalled();
});

it('the outcome of a job that another worker holds is not stored again', async () => {
  const { server, lost, report, store } = setUp();
  server.moveToCompleted.mockRejectedValue(taken());
  await expect(store({ kind: 'success', result: 1 })).rejects.toMatchObject({ code: -6 });
  expect(lost).toHaveBeenCalledTimes(1);
  expect(report).not.toHaveBeenCalled();
});

it('a failure of which the error could not be stored is stored again, with the error once', async () => {
  const { server, bull, store } = setUp();
  server.updateData.mockRejectedValueOnce(deadlock());
  await expect(store({ kind: 'retry', error: ERROR, delay: 20 })).rejects.toMatchObject(toTryAgain);
  expect(server.moveToFailed).not.toHaveBeenCalled();
  await bull.moveToFailed(new Error('no'), TOKEN, true);
  expect(server.updateData).toHaveBeenLastCalledWith({ args: [], errors: [ERROR] });
  expect(server.moveToFailed).toHaveBeenCalledTimes(1);
});

it.each([
  ['at once', 0, 'moveToWait', [TOKEN]],
  ['later', 500, 'moveToDelayed', [1_500, TOKEN]],
] as const)('a job that is released to run %s does not fail', async (_when, delay, call, args) => {
  const { server, store } = setUp();
  await expect(store({ kind: 'released', delay })).resolves.toBeUndefined();
  expect(server[call]).toHaveBeenCalledWith(...args);
  expect(server.moveToFailed).not.toHaveBeenCalled();
});

it('a job that seemed lost, and was not, is released', async () => {
  const { server, run, store } = setUp();
  run.run.lose();
  await expect(store({ kind: 'success', result: 1 })).resolves.toBeUndefined();
  expect(run.outcome).toEqual({ kind: 'released', delay: 0 });
  expect(server.moveToWait).toHaveBeenCalledWith(TOKEN);
  expect(server.moveToFailed).not.toHaveBeenCalled();
});

it('many results are counted rarely, and few results each time', () => {
  const counted = (count: number): unknown => {
    const options: JobsOptions = { removeOnComplete: { age: 60, count }, removeOnFail: false };
    countResultsRarely(options, { age: 1, count: 1 });
    expect(options.removeOnFail).toBe(false);
    return options.removeOnComplete;
  };
  const random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
  expect(counted(100_000)).toEqual({ age: 60 });
  expect(counted(100)).toEqual({ age: 60, count: 100 });
  random.mockReturnValue(0.0001);
  expect(counted(100_000)).toEqual({ age: 60, count: 100_000 });
  random.mockRestore();
});

it('a rule that keeps no results, which would delete those of all other jobs, is replaced by the usual one', () => {
  for (const none of [true, 0, { count: 0 }] as const) {
    const options: JobsOptions = { removeOnComplete: none };
    countResultsRarely(options, { age: 60, count: 50 });
    expect(options.removeOnComplete).toEqual({ age: 60, count: 50 });
  }
});

it('an outcome that the server can never store becomes a failure with that reason', async () => {
  const { server, bull, run, store } = setUp();
  server.moveToCompleted.mockRejectedValue(
    Object.assign(new Error('unsupported Unicode'), { code: '22P05' }),
  );
  await expect(store({ kind: 'success', result: 1 })).rejects.not.toHaveProperty('code');
  await bull.moveToFailed(new Error(''), TOKEN);
  expect(server.updateData).toHaveBeenCalledWith({
    args: [],
    errors: [expect.objectContaining({ message: 'The outcome could not be stored: unsupported Unicode' })],
  });
  expect(server.moveToFailed).toHaveBeenCalledTimes(1);
  expect(run.outcome).toMatchObject({ kind: 'failed' });
});

it("BullMQ sees a task's message only when it stores the failure, since it obeys some messages", async () => {
  const { server, run, store } = setUp();
  const error = { ...ERROR, message: 'bullmq:rateLimitExceeded' };
  expect(() => run.settle({ kind: 'failed', error })).toThrow(/^$/);
  await store({ kind: 'failed', error });
  expect(server.moveToFailed.mock.calls[0]).toEqual([
    expect.objectContaining({ message: 'bullmq:rateLimitExceeded', name: 'UnrecoverableError' }),
    TOKEN,
    true,
  ]);
});

it('a cancelled job is noted as cancelled, and then fails with the reason', async () => {
  const { server, noteCancelled, store } = setUp();
  await store({ kind: 'cancelled', reason: 'no longer wanted' });
  expect(noteCancelled).toHaveBeenCalledTimes(1);
  expect(server.moveToFailed.mock.calls[0]).toEqual([
    expect.objectContaining({ message: 'Cancelled: no longer wanted', name: 'UnrecoverableError' }),
    TOKEN,
    true,
  ]);
});

it('a suspension is one call to the server, and counts as a lost lease if the attempt is no longer current', async () => {
  const { server, lost, suspend, store } = setUp();
  await store({ kind: 'suspended', delay: null, seen: 3 });
  expect(suspend).toHaveBeenLastCalledWith(expect.objectContaining({ taskId: 'id' }), TOKEN, Infinity, 3);
  await store({ kind: 'suspended', delay: 500, seen: 0 });
  expect(suspend).toHaveBeenLastCalledWith(expect.objectContaining({ taskId: 'id' }), TOKEN, 500, 0);
  expect(lost).not.toHaveBeenCalled();
  suspend.mockResolvedValue(false);
  await expect(store({ kind: 'suspended', delay: null, seen: 0 })).rejects.toMatchObject({ code: -2 });
  expect(lost).toHaveBeenCalledTimes(1);
  for (const call of [server.moveToFailed, server.moveToDelayed, server.moveToWait, server.updateData])
    expect(call).not.toHaveBeenCalled();
});
