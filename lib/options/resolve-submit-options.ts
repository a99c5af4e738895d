import { parseDuration } from '../core/duration.js';
import { checkKeys, duration, oneOf, wholeNumber, wrong } from './check.js';
import type { PolicyOverrides, ResolvedSubmit } from './resolved-options.js';
import type { SubmitOptions } from './task-options.js';

const KEYS = [
  'priority',
  'delay',
  'runAt',
  'taskId',
  'maxRetries',
  'retryDelay',
  'backoff',
  'timeout',
] as const satisfies readonly (keyof SubmitOptions)[];

/** The lowest urgency. 21 bits, which is what every engine can order by. */
const MAX_PRIORITY = 2_097_151;
const LONGEST_ID = 255;

/** What `submit` without options means: one object for all, since most submissions have none. */
export const NO_SUBMIT_OPTIONS: ResolvedSubmit = Object.freeze({
  priority: 0,
  delay: 0,
  taskId: undefined,
  overrides: undefined,
});

/**
 * Checks the options of one submission.
 *
 * @param now Milliseconds since the epoch: what `runAt` is measured from.
 * @throws {FlowrraConfigError} naming the option, the value and what would be right.
 */
export function resolveSubmitOptions(options: SubmitOptions, now: number): ResolvedSubmit {
  checkKeys(options, KEYS, 'with()');
  return {
    priority: wholeNumber(options.priority, 'priority', { min: 0, max: MAX_PRIORITY, fallback: 0 }),
    delay: delay(options, now),
    taskId: taskId(options.taskId),
    overrides: overrides(options),
  };
}

function delay({ delay, runAt }: SubmitOptions, now: number): number {
  if (runAt === undefined) return duration(delay, 'delay', 0);
  if (delay !== undefined) throw wrong('runAt', runAt, 'It excludes delay. Keep one of them.');
  const time = Object.prototype.toString.call(runAt) === '[object Date]' ? runAt.getTime() : NaN;
  if (Number.isNaN(time)) throw wrong('runAt', runAt, 'It must be a valid Date.');
  return Math.max(0, time - now);
}

function taskId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const valid =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= LONGEST_ID &&
    !/[:\p{Cc}]|^\d+$/u.test(value);
  if (valid) return value;
  throw wrong(
    'taskId',
    value,
    `It must be 1 to ${LONGEST_ID} characters, without ':' and control characters, and not digits alone.`,
  );
}

/** `undefined` if the job is to be treated as its task says. */
function overrides({ maxRetries, retryDelay, backoff, timeout }: SubmitOptions): PolicyOverrides | undefined {
  if (maxRetries === undefined && retryDelay === undefined && backoff === undefined && timeout === undefined)
    return undefined;
  if (typeof backoff === 'function') {
    throw wrong(
      'backoff',
      backoff,
      "A function cannot travel with a job: give it to @Task(), or use 'fixed' or 'exponential' here.",
    );
  }
  return {
    ...(maxRetries !== undefined && {
      maxRetries: wholeNumber(maxRetries, 'maxRetries', { min: 0, max: Infinity, fallback: 0 }),
    }),
    ...(retryDelay !== undefined && { retryDelay: parseDuration(retryDelay, 'retryDelay') }),
    ...(backoff !== undefined && {
      backoff: oneOf<'fixed' | 'exponential'>(backoff, 'backoff', ['fixed', 'exponential'], 'fixed'),
    }),
    ...(timeout !== undefined && { timeout: parseDuration(timeout, 'timeout') }),
  };
}
