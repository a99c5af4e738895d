import { types } from 'node:util';
import { parseDuration } from '../core/duration.js';
import { checkKeys, duration, keysOf, oneOf, timeLimit, wholeNumber, wrong } from './check.js';
import { checkTaskId } from './names.js';
import type { PolicyOverrides, ResolvedSubmit } from './resolved-options.js';
import type { SubmitOptions } from './task-options.js';

const KEYS = keysOf<SubmitOptions>({
  priority: true,
  delay: true,
  runAt: true,
  taskId: true,
  maxRetries: true,
  retryDelay: true,
  backoff: true,
  timeout: true,
});

/** The lowest urgency: 21 bits, which every engine can order by. */
const MAX_PRIORITY = 2_097_151;

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
  if (Object.keys(options).length === 0) return NO_SUBMIT_OPTIONS;
  const { priority, taskId } = options;
  return {
    priority: wholeNumber(priority, 'priority', { min: 0, max: MAX_PRIORITY, fallback: 0 }),
    delay: resolveDelay(options, now),
    taskId: taskId === undefined ? undefined : checkTaskId(taskId, 'taskId'),
    overrides: resolveOverrides(options),
  };
}

function resolveDelay({ delay, runAt }: { delay?: unknown; runAt?: unknown }, now: number): number {
  if (runAt === undefined) return duration(delay, 'delay', 0);
  if (delay !== undefined) throw wrong('runAt', runAt, 'delay is given as well. Keep one of them.');
  const time = types.isDate(runAt) ? runAt.getTime() : NaN;
  if (Number.isNaN(time)) throw wrong('runAt', runAt, 'It must be a valid Date.');
  return Math.max(0, time - now);
}

/** `undefined` if the job is to be treated as its task says. */
/** @throws {FlowrraConfigError} naming what is wrong. */
export function resolveOverrides(options: SubmitOptions): PolicyOverrides | undefined {
  const { maxRetries, retryDelay, timeout } = options;
  const backoff: unknown = options.backoff;
  const given = [maxRetries, retryDelay, backoff, timeout].some((value) => value !== undefined);
  if (!given) return undefined;
  if (typeof backoff === 'function') {
    throw wrong(
      'backoff',
      backoff,
      "A function cannot travel with a job: give it to @Task(), or use 'fixed' or 'exponential' here.",
    );
  }
  return {
    ...(maxRetries !== undefined && {
      maxRetries: wholeNumber(maxRetries, 'maxRetries', { min: 0, infinite: true, fallback: 0 }),
    }),
    ...(retryDelay !== undefined && { retryDelay: parseDuration(retryDelay, 'retryDelay') }),
    ...(backoff !== undefined && {
      backoff: oneOf<'fixed' | 'exponential'>(backoff, 'backoff', ['fixed', 'exponential'], 'fixed'),
    }),
    ...(timeout !== undefined && { timeout: timeLimit(timeout, 'timeout') }),
  };
}
