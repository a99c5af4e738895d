import { types } from 'node:util';
import { parseDuration } from '../../job/duration.js';
import { kindOf } from '../../job/payload/payload-kind.js';
import type { Dedupe, Metadata } from '../../job/job.js';
import {
  checkKeys,
  checkObject,
  duration,
  keysOf,
  oneOf,
  timeLimit,
  wholeNumber,
  wrong,
} from '../../job/check.js';
import { checkTaskId, UNFIT } from '../../job/names.js';
import { resolveOverrides } from '../../job/overrides.js';
import { NO_SUBMIT_OPTIONS, type ResolvedSubmit } from '../../job/submission.js';
import type { DedupeOptions, SubmitOptions } from '../../job/task-options.js';

const KEYS = keysOf<SubmitOptions>({
  priority: true,
  delay: true,
  runAt: true,
  taskId: true,
  maxRetries: true,
  retryDelay: true,
  backoff: true,
  timeout: true,
  expires: true,
  dedupe: true,
  metadata: true,
});
const DEDUPE_KEYS = keysOf<DedupeOptions>({ key: true, mode: true, ttl: true });
const LONGEST_KEY = 300;
const NEED_OF_METADATA =
  'It must be a plain object of your own data, such as { tenant: 7 }: no Map, no array, no Date and no instance of a class.';

/** The lowest urgency: 21 bits, which every engine can order by. */
const MAX_PRIORITY = 2_097_151;

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
  const dedupe = resolveDedupe(options);
  const delay = dedupe?.mode === 'debounce' ? dedupe.ttl : resolveDelay(options, now);
  return {
    priority: wholeNumber(priority, 'priority', { min: 0, max: MAX_PRIORITY, fallback: 0 }),
    delay,
    taskId: taskId === undefined ? undefined : checkTaskId(taskId, 'taskId'),
    overrides: resolveOverrides({
      ...options,
      ...expiresIn(options.expires, delay, now),
      ...(dedupe?.mode === 'debounce' && { validFrom: now }),
    }),
    metadata: resolveMetadata(options.metadata),
    dedupe,
  };
}

/** As a duration: times travel so, since the clocks of a fleet differ. */
function expiresIn(expires: unknown, delay: number, now: number): { expires?: number } {
  if (expires === undefined) return {};
  const inMs = types.isDate(expires) ? expires.getTime() - now : timeLimit(expires, 'expires');
  if (Number.isNaN(inMs)) throw wrong('expires', expires, 'It must be a valid Date, or a duration.');
  if (inMs <= 0) throw wrong('expires', expires, 'That time has passed already, so the job would never run.');
  if (inMs > delay) return { expires: inMs };
  throw wrong('expires', expires, `The job comes due after ${delay} ms, so it would never run.`);
}

function resolveDedupe({ dedupe, taskId, delay, runAt }: SubmitOptions): Dedupe | undefined {
  if (dedupe === undefined) return undefined;
  checkKeys(dedupe, DEDUPE_KEYS, 'dedupe');
  const { key, ttl } = dedupe;
  if (taskId !== undefined)
    throw wrong(
      'dedupe',
      dedupe,
      'taskId is given as well, and stands for one job by itself. Keep one of them.',
    );
  if (typeof key !== 'string' || key === '' || key.length > LONGEST_KEY || UNFIT.test(key))
    throw wrong('dedupe.key', key, `It must be 1 to ${LONGEST_KEY} characters, none a control character.`);
  const mode = oneOf(dedupe.mode, 'dedupe.mode', ['ignore', 'throttle', 'debounce'], 'ignore');
  if (mode === 'ignore') {
    if (ttl === undefined) return { key, mode, ttl: 0 };
    throw wrong('dedupe.ttl', ttl, "It is of 'throttle' and 'debounce': say which in mode, or leave it out.");
  }
  if (ttl === undefined) throw wrong('dedupe.ttl', ttl, `'${mode}' needs it: how long, such as '10s'.`);
  if (mode === 'debounce' && (delay !== undefined || runAt !== undefined))
    throw wrong('dedupe.mode', mode, 'It is a delay by itself: leave delay and runAt out.');
  const ms = parseDuration(ttl, 'dedupe.ttl');
  if (ms > 0) return { key, mode, ttl: ms };
  throw wrong('dedupe.ttl', ttl, 'It must be at least 1 ms.');
}

function resolveMetadata(metadata: unknown): Metadata | undefined {
  if (metadata === undefined) return undefined;
  checkObject(metadata, 'metadata', NEED_OF_METADATA);
  const kind = kindOf(metadata);
  if (kind !== 'object' && kind !== 'instance') throw wrong('metadata', metadata, NEED_OF_METADATA);
  return metadata as Metadata;
}

function resolveDelay({ delay, runAt }: { delay?: unknown; runAt?: unknown }, now: number): number {
  if (runAt === undefined) return duration(delay, 'delay', 0);
  if (delay !== undefined) throw wrong('runAt', runAt, 'delay is given as well. Keep one of them.');
  const time = types.isDate(runAt) ? runAt.getTime() : NaN;
  if (Number.isNaN(time)) throw wrong('runAt', runAt, 'It must be a valid Date.');
  return Math.max(0, time - now);
}
