import { FlowrraConfigError } from '../../lib/job/errors.js';
import { effectivePolicy, retryDelay, type TaskPolicy } from '../../lib/job/policy.js';
import type { Duration } from '../../lib/job/duration.js';
import { configError } from '../support/config-error.js';

const POLICY: TaskPolicy = Object.freeze({
  maxRetries: 3,
  retryDelay: 100,
  backoff: 'fixed',
  maxRetryDelay: 1_000,
  jitter: false,
  timeout: Infinity,
  killGrace: 5_000,
  expires: Infinity,
  deadLetter: null,
});

function noRandom(): never {
  throw new Error('No jitter was asked for, so nothing is to be drawn');
}

function delays(policy: Partial<TaskPolicy>, attempts: number[], random: () => number = noRandom): number[] {
  return attempts.map((attempt) => retryDelay({ ...POLICY, ...policy }, attempt, new Error('x'), random));
}

describe('retryDelay', () => {
  it("'fixed' waits retryDelay each time, without maxRetryDelay", () => {
    expect(delays({ retryDelay: 2_000 }, [1, 2, 10_000])).toEqual([2_000, 2_000, 2_000]);
  });

  it("'exponential' doubles from retryDelay up to maxRetryDelay", () => {
    expect(delays({ backoff: 'exponential' }, [1, 2, 3, 4, 5, 6])).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it("'exponential' does not overflow", () => {
    expect(delays({ backoff: 'exponential' }, [1_100, 10_000])).toEqual([1_000, 1_000]);
    expect(delays({ backoff: 'exponential', retryDelay: 0 }, [1, 10_000])).toEqual([0, 0]);
  });

  it('a function gets the attempt and its error, and returns a duration', () => {
    const calls: unknown[][] = [];
    const backoff = (...args: unknown[]): Duration => {
      calls.push(args);
      return '2s';
    };
    const error = new Error('down');
    expect(retryDelay({ ...POLICY, backoff }, 2, error, noRandom)).toBe(2_000);
    expect(calls).toEqual([[2, error]]);
    expect(calls[0]?.[1]).toBe(error);
  });

  it('maxRetryDelay does not limit the delay of a function', () => {
    expect(delays({ backoff: () => '2h' }, [1])).toEqual([7_200_000]);
  });

  it.each([
    ['undefined', undefined],
    ['NaN', NaN],
    ['-5', -5],
    ["'later'", 'later'],
    ['a Promise', Promise.resolve(5)],
  ])('refuses a function that answers %s', (shown, answer) => {
    const backoff = (() => answer) as unknown as () => Duration;
    const message = configError(() => retryDelay({ ...POLICY, backoff }, 1, null, noRandom));
    expect(message).toMatch(`The value that the backoff function returned: ${shown} is no duration.`);
  });

  it('rethrows the error of a function', () => {
    const bug = new TypeError('error.response is undefined');
    const backoff = (): never => {
      throw bug;
    };
    expect(() => retryDelay({ ...POLICY, backoff }, 1, null, noRandom)).toThrow(bug);
    expect(bug).not.toBeInstanceOf(FlowrraConfigError);
  });

  it('full jitter draws from 0 to the delay, both included', () => {
    expect(delays({ jitter: true }, [1], () => 0)).toEqual([0]);
    expect(delays({ jitter: true }, [1], () => 0.5)).toEqual([50]);
    expect(delays({ jitter: true }, [1], () => 1 - 2 ** -53)).toEqual([100]);
    expect(delays({ jitter: true, backoff: 'exponential' }, [3], () => 0.5)).toEqual([200]);
    expect(delays({ jitter: true, backoff: () => 1_000 }, [1], () => 0.5)).toEqual([500]);
  });
});

describe('effectivePolicy', () => {
  it("is the task's own policy object for a job without overrides", () => {
    expect(effectivePolicy(POLICY, undefined)).toBe(POLICY);
  });

  it('takes the overrides of the job, and does not change the policy of the task', () => {
    const overrides = { maxRetries: 0, retryDelay: 5, backoff: 'exponential', timeout: 10 } as const;
    expect(effectivePolicy(POLICY, { retryDelay: 7 })).toEqual({ ...POLICY, retryDelay: 7 });
    expect(effectivePolicy(POLICY, overrides)).toEqual({
      maxRetries: 0,
      retryDelay: 5,
      backoff: 'exponential',
      maxRetryDelay: 1_000,
      jitter: false,
      timeout: 10,
      killGrace: 5_000,
      expires: Infinity,
      deadLetter: null,
    });
    expect(POLICY.maxRetries).toBe(3);
  });
});
