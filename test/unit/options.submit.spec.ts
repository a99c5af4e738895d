import { NO_SUBMIT_OPTIONS } from '../../lib/job/submit-options.js';
import { resolveSubmitOptions } from '../../lib/job/submit-options.js';
import type { SubmitOptions } from '../../lib/job/submit-options.js';
import { configError } from '../support/config-error.js';

const NOW = 1_700_000_000_000;

/** Options as a JavaScript user may write them. */
const resolve = (options: unknown) => resolveSubmitOptions(options as SubmitOptions, NOW);

describe('resolveSubmitOptions', () => {
  it('answers one shared, frozen object for no options', () => {
    expect(resolve({})).toBe(NO_SUBMIT_OPTIONS);
    expect(Object.isFrozen(NO_SUBMIT_OPTIONS)).toBe(true);
    expect(NO_SUBMIT_OPTIONS).toEqual({ priority: 0, delay: 0 });
  });

  it('takes everything that can be said', () => {
    const options: SubmitOptions = {
      priority: 2_097_151,
      delay: '5m',
      taskId: 'order-17',
      maxRetries: 0,
      retryDelay: '1s',
      backoff: 'exponential',
      timeout: '30s',
    };
    expect(resolve(options)).toEqual({
      priority: 2_097_151,
      delay: 300_000,
      taskId: 'order-17',
      overrides: { maxRetries: 0, retryDelay: 1_000, backoff: 'exponential', timeout: 30_000 },
    });
  });

  it('takes options that are undefined for options not given', () => {
    const options: Record<keyof SubmitOptions, undefined> = {
      priority: undefined,
      delay: undefined,
      runAt: undefined,
      taskId: undefined,
      maxRetries: undefined,
      retryDelay: undefined,
      backoff: undefined,
      timeout: undefined,
      expires: undefined,
      dedupe: undefined,
      metadata: undefined,
      tags: undefined,
    };
    expect(resolve(options)).toEqual(NO_SUBMIT_OPTIONS);
  });

  it('overrides only what was given', () => {
    expect(Object.entries(resolve({ maxRetries: Infinity }).overrides ?? {})).toEqual([
      ['maxRetries', Infinity],
    ]);
    expect(Object.entries(resolve({ retryDelay: 0 }).overrides ?? {})).toEqual([['retryDelay', 0]]);
    expect(Object.entries(resolve({ backoff: 'fixed' }).overrides ?? {})).toEqual([['backoff', 'fixed']]);
    expect(Object.entries(resolve({ timeout: Infinity }).overrides ?? {})).toEqual([['timeout', Infinity]]);
    expect(resolve({ priority: 1 }).overrides).toBeUndefined();
  });

  it.each([
    [new Date(NOW + 90_000), 90_000],
    [new Date(NOW), 0],
    [new Date(0), 0],
  ])('is due at runAt %p in %d ms', (runAt, delay) => {
    expect(resolve({ runAt }).delay).toBe(delay);
  });

  it.each(['a', '1a', 'x'.repeat(255), 'user@example.com/welcome', 'Überweisung 7', '😀'])(
    'takes the id %s',
    (taskId) => {
      expect(resolve({ taskId }).taskId).toBe(taskId);
    },
  );
});

describe('invalid options', () => {
  const PRIORITY_NEED = 'It must be a whole number from 0 to 2097151.';
  const ID_NEED =
    "An id is 1 to 255 characters, without ':' and control characters, no whole number, and no name of a part of a queue, such as wait.";
  const KNOWN =
    'Known: priority, delay, runAt, taskId, maxRetries, retryDelay, backoff, timeout, expires, dedupe, metadata, tags.';
  const DURATION_NEED =
    "Give milliseconds as a number, or an amount with its unit such as '250ms', '2s', '5m', '1h' or '7d'.";

  it.each<[unknown, string]>([
    [{ priority: -1 }, `priority: -1 is not valid. ${PRIORITY_NEED}`],
    [{ priority: 2_097_152 }, `priority: 2097152 is not valid. ${PRIORITY_NEED}`],
    [{ priority: 0.5 }, `priority: 0.5 is not valid. ${PRIORITY_NEED}`],
    [{ priority: 'high' }, `priority: 'high' is not valid. ${PRIORITY_NEED}`],
    [{ priority: null }, `priority: null is not valid. ${PRIORITY_NEED}`],
    [{ delay: 'later' }, `delay: 'later' is no duration. ${DURATION_NEED}`],
    [{ delay: Infinity }, `delay: Infinity is no duration. ${DURATION_NEED}`],
    [
      { delay: 5, runAt: new Date(NOW) },
      'runAt: a Date is not valid. delay is given as well. Keep one of them.',
    ],
    [
      { delay: 0, runAt: new Date(NOW) },
      'runAt: a Date is not valid. delay is given as well. Keep one of them.',
    ],
    [{ runAt: new Date('never') }, 'runAt: an invalid Date is not valid. It must be a valid Date.'],
    [{ runAt: '2030-01-01' }, "runAt: '2030-01-01' is not valid. It must be a valid Date."],
    [{ runAt: NOW }, `runAt: ${NOW} is not valid. It must be a valid Date.`],
    [{ runAt: null }, 'runAt: null is not valid. It must be a valid Date.'],
    [{ runAt: { [Symbol.toStringTag]: 'Date' } }, 'runAt: an object is not valid. It must be a valid Date.'],
    [
      { maxRetries: -1 },
      'maxRetries: -1 is not valid. It must be a whole number of at least 0, or Infinity.',
    ],
    [{ retryDelay: 'x' }, `retryDelay: 'x' is no duration. ${DURATION_NEED}`],
    [
      { timeout: 0 },
      'timeout: 0 is not valid. It must be at least 1 ms. For no limit, leave it out or give Infinity.',
    ],
    [{ backoff: 'fixt' }, "backoff: 'fixt' is not valid. Known: fixed, exponential."],
    [{ backoff: 'fix' }, "backoff: 'fix' is not valid. Known: fixed, exponential."],
    [
      { backoff: 'exponental' },
      "backoff: 'exponental' is not valid. Did you mean 'exponential'? Known: fixed, exponential.",
    ],
    [
      { backoff: (attempt: number) => attempt },
      "backoff: the function backoff is not valid. A function cannot be stored with a job: give it to @Task(), or use 'fixed' or 'exponential' here.",
    ],
    [{ taskId: 5 }, `taskId: 5 is not valid. ${ID_NEED}`],
    [{ taskId: null }, `taskId: null is not valid. ${ID_NEED}`],
    [{ priorty: 1 }, `with(): unknown option 'priorty' (given 1). Did you mean 'priority'? ${KNOWN}`],
    [{ jitter: true }, `with(): unknown option 'jitter' (given true). ${KNOWN}`],
  ])('%j', (options, message) => {
    expect(configError(() => resolve(options))).toBe(message);
  });

  it.each(['', 'a:b', ':', '1', '0123456789', 'a\nb', '\u0000', 'a\u0085', 'a\udc00', 'x'.repeat(256)])(
    'the id %j',
    (taskId) => {
      expect(configError(() => resolve({ taskId }))).toMatch(ID_NEED);
    },
  );

  it.each([undefined, null, 5, 'now', [1]])('%p instead of options', (options) => {
    expect(configError(() => resolve(options))).toMatch(
      /^with\(\): .* It must be an object with some of: priority,/,
    );
  });
});
