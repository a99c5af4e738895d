import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { OutcomeWriter } from '../../../lib/engine/embedded/outcome-writer.js';
import type { MaybePromise } from '../../../lib/job/async.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { attemptOf } from '../../support/run-parts.js';

const SUCCESS = { kind: 'success', result: 1 } as const;

function setUp(settleWith: () => MaybePromise<boolean>) {
  const clock = new ManualClock();
  const idle = { check: jest.fn() };
  const stored = jest.fn();
  const settled = jest.fn(settleWith);
  return { clock, idle, stored, settled, writer: new OutcomeWriter({ settle: settled }, clock, idle) };
}

beforeEach(() => void jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined));
afterEach(() => void jest.restoreAllMocks());

it('says at once what a store answers at once', () => {
  const { writer, stored } = setUp(() => true);
  writer.write(attemptOf(), SUCCESS, stored);
  expect(stored.mock.calls).toEqual([[true]]);
  expect(writer.size).toBe(0);
});

it('counts a write until the store has answered, and says so', async () => {
  const { writer, stored, idle } = setUp(async () => false);
  writer.write(attemptOf(), SUCCESS, stored);
  expect(writer.size).toBe(1);
  await settle();
  expect(stored.mock.calls).toEqual([[false]]);
  expect([writer.size, idle.check.mock.calls.length]).toEqual([0, 1]);
});

it.each([
  [
    'throws',
    (): never => {
      throw new Error('disk full');
    },
  ],
  ['rejects', () => Promise.reject(new Error('disk full'))],
])('tries again every second while the store %s, and logs that once', async (_how, fail) => {
  const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue(undefined);
  let answer: () => MaybePromise<boolean> = fail;
  const { writer, clock, stored, settled } = setUp(() => answer());
  writer.write(attemptOf(), SUCCESS, stored);
  await clock.advance(2_000);
  expect(settled).toHaveBeenCalledTimes(3);
  expect(writer.size).toBe(1);
  answer = async () => true;
  await clock.advance(1_000);
  expect(stored.mock.calls).toEqual([[true]]);
  expect(Logger.prototype.error).toHaveBeenCalledTimes(1);
  expect(log.mock.calls).toEqual([['Outcomes are stored again.']]);
  expect(clock.armed).toBe(0);
});

it('close() gives up, and logs how many outcomes are lost', () => {
  const { writer, clock, stored } = setUp(() => {
    throw new Error('disk full');
  });
  writer.write(attemptOf(), SUCCESS, stored);
  writer.close();
  expect(clock.armed).toBe(0);
  expect(Logger.prototype.error).toHaveBeenLastCalledWith(expect.stringContaining('1 outcomes'));
});
