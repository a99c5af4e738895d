import { types } from 'node:util';
import { checkObject, wrong } from './check.js';
import type { Duration } from './duration.js';
import type { Dedupe, Metadata } from './job.js';
import type { ScheduleMark } from './metadata.js';
import { checkTaskId, UNFIT } from './names.js';
import { definedOverrides, OVERRIDE_RULES } from './overrides.js';
import { kindOf } from './payload/payload-kind.js';
import type { PolicyOverrides } from './policy.js';
import {
  date,
  duration,
  nested,
  oneOf,
  optional,
  OptionTable,
  type Resolved,
  type RulesOf,
  timeLimit,
  wholeNumber,
} from './rules.js';
import { checkTags } from './tags.js';
import type { TaskPolicyOptions } from './task-options.js';

/** Makes submissions with the same key share one job. See {@link SubmitOptions.dedupe}. */
export interface DedupeOptions {
  /** Identifies equal submissions of one task: 1 to 300 characters, none a control character. */
  key: string;
  /**
   * - `'ignore'`: while a job with the key is unfinished, no other one is added.
   * - `'throttle'`: for `ttl` after the submission of a job with the key, no other one is added.
   * - `'debounce'`: the job waits for `ttl`. A further submission with the key replaces its arguments and
   *   restarts the wait: the last submission wins.
   *
   * The mode of the job that holds the key decides how long it does: for `ttl` with `'throttle'`, otherwise
   * until the job has ended.
   *
   * @defaultValue `'ignore'`
   */
  mode?: 'ignore' | 'throttle' | 'debounce';
  /**
   * The time for `'throttle'` and `'debounce'`, which require it: at least 1 ms. Not with `'ignore'`.
   *
   * @defaultValue none
   */
  ttl?: Duration;
}

/** Options of one submission, given to `with()`. */
export interface SubmitOptions extends Pick<TaskPolicyOptions, 'maxRetries' | 'retryDelay' | 'timeout'> {
  /**
   * 0 to 2,097,151. Jobs with a lower number run first.
   *
   * @defaultValue `0`
   */
  priority?: number;
  /**
   * Delay before the first attempt. Not together with `runAt`.
   *
   * @defaultValue no delay
   */
  delay?: Duration;
  /**
   * The earliest time of the first attempt. A time in the past means now. Not together with `delay`.
   *
   * @defaultValue now
   */
  runAt?: Date;
  /**
   * Your own id for the job: 1 to 255 characters, no `:`, no control character, no whole number. If a job with
   * this id, or its result, is known, `submit` adds no job and returns the id, so that a request can be
   * repeated safely.
   *
   * @defaultValue a random id
   */
  taskId?: string;
  /**
   * Overrides the task's own `backoff`. A function is not possible here, since it cannot be stored with a job.
   *
   * @defaultValue the task's own
   */
  backoff?: 'fixed' | 'exponential';
  /**
   * Overrides the task's own `expires`: a duration from now or a time, either later than the job is due.
   *
   * @defaultValue the task's own
   */
  expires?: Duration | Date;
  /**
   * If a job of the same task with the same key exists, `submit` returns its id instead of adding a job, and
   * `events$` emits `deduplicated`. Not together with `taskId`.
   *
   * @defaultValue no deduplication
   */
  dedupe?: DedupeOptions;
  /**
   * Your own data, stored with the job: a plain object of at most 16 KiB. The task reads it from its context.
   *
   * @defaultValue `{}`
   */
  metadata?: Record<string, unknown>;
  /**
   * Words by which `jobs.find({ tag })` finds the job, in addition to the tags of its task: at most 10 together, each of
   * 1 to 100 characters, none a control character.
   *
   * @defaultValue those of the task
   */
  tags?: readonly string[];
}

/** One job of a `submitMany`. Its options take precedence over those of `with()`. */
export interface BatchJob<A extends readonly unknown[]> extends SubmitOptions {
  /** The arguments of this job. */
  args: A;
}

/** One submission's options, checked. */
export interface ResolvedSubmit {
  readonly priority: number;
  /** Milliseconds until the job is due, 0 for now. */
  readonly delay: number;
  /** `undefined` for an id that the engine generates. */
  readonly taskId: string | undefined;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  /** Its key without the task's name, which the submitter puts before it. */
  readonly dedupe: Dedupe | undefined;
  /** Without the tags of the task; `undefined` for none. */
  readonly tags?: readonly string[] | undefined;
  /** Whether the job is added even at `maxPending`. */
  readonly bypassMaxPending?: boolean;
  /** Replaces the context that would be captured. */
  readonly context?: unknown;
  /** The occurrence of a schedule that this submission is for. */
  readonly schedule?: ScheduleMark;
  /** The id of the job whose method has called this one. */
  readonly parent?: string;
  /** The packed metadata of the job whose end causes this submission. */
  readonly cause?: unknown;
}

/** A submission without options: one shared object, since most submissions have none. */
export const NO_SUBMIT_OPTIONS: ResolvedSubmit = Object.freeze({
  priority: 0,
  delay: 0,
  taskId: undefined,
  overrides: undefined,
  metadata: undefined,
  dedupe: undefined,
  tags: undefined,
});

/** 21 bits, by which every engine can order jobs. */
const MAX_PRIORITY = 2_097_151;
const MAX_KEY_LENGTH = 300;
const METADATA_NEED =
  'It must be a plain object of your own data, such as { tenant: 7 }: no Map, no array, no Date and no instance of a class.';

const DEDUPE_RULES = new OptionTable({
  key(value: unknown, path: string): string {
    if (typeof value === 'string' && value !== '' && value.length <= MAX_KEY_LENGTH && !UNFIT.test(value))
      return value;
    throw wrong(path, value, `It must be 1 to ${MAX_KEY_LENGTH} characters, none a control character.`);
  },
  mode: oneOf(['ignore', 'throttle', 'debounce'], 'ignore'),
  ttl: duration({ min: 1 }),
} satisfies RulesOf<DedupeOptions>);

const SUBMIT_RULES = new OptionTable({
  priority: wholeNumber({ min: 0, max: MAX_PRIORITY, default: 0 }),
  delay: duration(),
  runAt: date,
  taskId: optional(checkTaskId),
  ...OVERRIDE_RULES,
  expires: optional((value, path) => (types.isDate(value) ? date(value, path) : timeLimit(value, path))),
  dedupe: optional(nested(DEDUPE_RULES)),
  metadata(value: unknown, path: string): Metadata | undefined {
    if (value === undefined) return undefined;
    checkObject(value, path, METADATA_NEED);
    const kind = kindOf(value);
    if (kind === 'object' || kind === 'instance') return value as Metadata;
    throw wrong(path, value, METADATA_NEED);
  },
  tags: checkTags,
} satisfies RulesOf<SubmitOptions>);

type Checked = Resolved<typeof SUBMIT_RULES>;

/**
 * Checks the options of one submission.
 *
 * @param now Milliseconds since the epoch, from which `runAt` and a time in `expires` are measured.
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export function resolveSubmitOptions(options: SubmitOptions, now: number): ResolvedSubmit {
  const checked = SUBMIT_RULES.resolve(options, 'with()', '');
  if (Object.keys(options).length === 0) return NO_SUBMIT_OPTIONS;
  const { priority, taskId, maxRetries, retryDelay, backoff, timeout, metadata, tags } = checked;
  const dedupe = dedupeOf(checked, options.dedupe?.ttl);
  const debounced = dedupe?.mode === 'debounce';
  const delay = debounced ? dedupe.ttl : delayOf(checked, now);
  const expires = expiryOf(checked.expires, delay, now, options.expires);
  // A further submission restarts the wait of a debounced job, and its expiry with it.
  const validFrom = debounced ? now : undefined;
  const overrides = definedOverrides({ maxRetries, retryDelay, backoff, timeout, expires, validFrom });
  return { priority, delay, taskId, overrides, metadata, dedupe, tags };
}

/** In milliseconds from now, not as a time: the clocks of a fleet differ. */
function expiryOf(
  expires: Checked['expires'],
  delay: number,
  now: number,
  given: unknown,
): number | undefined {
  if (expires === undefined) return undefined;
  const ms = typeof expires === 'number' ? expires : expires.getTime() - now;
  if (ms <= 0) throw wrong('expires', given, 'It must be in the future: the job would never run.');
  if (ms > delay) return ms;
  throw wrong('expires', given, `The job is due only after ${delay} ms, so it would never run.`);
}

function dedupeOf({ dedupe, taskId, delay, runAt }: Checked, givenTtl: unknown): Dedupe | undefined {
  if (dedupe === undefined) return undefined;
  if (taskId !== undefined)
    throw wrong('dedupe', dedupe, 'taskId already makes the job unique. Remove one of the two.');
  const { key, mode, ttl } = dedupe;
  if (mode === 'ignore') {
    if (ttl === undefined) return { key, mode, ttl: 0 };
    throw wrong(
      'dedupe.ttl',
      givenTtl,
      "It requires the mode 'throttle' or 'debounce'. Set mode, or leave it out.",
    );
  }
  if (ttl === undefined) throw wrong('dedupe.ttl', ttl, `'${mode}' requires a duration, such as '10s'.`);
  if (mode === 'debounce' && (delay !== undefined || runAt !== undefined))
    throw wrong('dedupe.mode', mode, 'It already delays the job: leave delay and runAt out.');
  return { key, mode, ttl };
}

function delayOf({ delay, runAt }: Checked, now: number): number {
  if (runAt === undefined) return delay ?? 0;
  if (delay === undefined) return Math.max(0, runAt.getTime() - now);
  throw wrong('runAt', runAt, 'delay is given as well. Keep one of them.');
}
