import { wrong } from './check.js';
import type { Duration } from './duration.js';
import { checkQueueName, UNFIT } from './names.js';
import {
  duration,
  OptionTable,
  oneOf,
  optional,
  type Resolved,
  type RulesOf,
  timeLimit,
  wholeNumber,
} from './rules.js';
import type { SubmitOptions } from './submit-options.js';
import type { TaskPolicyOptions } from './task-options.js';

/** The call of a step's function. */
export interface StepCall {
  /** The same at each try of this step: pass it to services that accept an idempotency key. */
  readonly key: string;
  /** Aborted when the step or its attempt should end. */
  readonly signal: AbortSignal;
  /** The number of this try, from 1. */
  readonly attempt: number;
}

/** Options of `ctx.step`. Retries of a step do not use up those of its job. */
export interface StepOptions<R = unknown> extends Pick<TaskPolicyOptions, 'timeout'> {
  /**
   * How often the step is retried before its error reaches the method.
   *
   * @defaultValue `0`
   */
  maxRetries?: number;
  /**
   * Delay before the first retry.
   *
   * @defaultValue `'1s'`
   */
  retryDelay?: Duration;
  /**
   * Whether the delay doubles with each retry, up to one hour.
   *
   * @defaultValue `'exponential'`
   */
  backoff?: 'fixed' | 'exponential';
  /**
   * Undoes the finished step if the job fails for good or is cancelled. Steps are undone in reverse order, and each is
   * retried as the step itself. It gets the step's result.
   *
   * @defaultValue the step is not undone
   */
  undo?: (result: R, call: StepCall) => unknown;
}

/** Options of `ctx.waitFor`. */
export interface WaitForOptions {
  /**
   * The longest wait, from its first start. Then it rejects with `SignalTimeoutError`.
   *
   * @defaultValue no limit
   */
  timeout?: Duration;
}

/** Options of `ctx.each`. */
export interface EachOptions<T, C> {
  /** The position of an item, as plain data: the source is asked for the items after it when the job goes on. */
  cursor: (item: T) => C;
  /**
   * The number of items after which the position is stored. It is stored at least once a second of work, too.
   *
   * @defaultValue only once a second
   */
  every?: number;
}

/** Options of a child job, given to `ctx.with()`. */
export interface ChildOptions extends Omit<SubmitOptions, 'taskId' | 'dedupe'> {
  /**
   * Tells several child jobs of one task apart: 1 to 200 characters. Calls of one task at the same time need one each.
   *
   * @defaultValue calls of one task are numbered in their order
   */
  key?: string;
  /**
   * The queue of the child job.
   *
   * @defaultValue the queue of its task
   */
  queue?: string;
}

const MAX_NAME = 200;
const NAME_NEED = `It must be 1 to ${MAX_NAME} characters, none a control character.`;

/** @throws {FlowrraConfigError} unless it can name a step or a wait. */
export function checkStepName(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME && !UNFIT.test(value))
    return value;
  throw wrong(path, value, NAME_NEED);
}

function method<F>(value: unknown, path: string): F | undefined {
  if (value === undefined || typeof value === 'function') return value as F | undefined;
  throw wrong(path, value, 'It must be a function.');
}

const STEP_RULES = new OptionTable({
  maxRetries: wholeNumber({ min: 0, default: 0 }),
  retryDelay: duration({ default: 1_000 }),
  backoff: oneOf(['fixed', 'exponential'], 'exponential'),
  timeout: timeLimit,
  undo: method<NonNullable<StepOptions<never>['undo']>>,
} satisfies RulesOf<StepOptions>);

const WAIT_RULES = new OptionTable({ timeout: timeLimit } satisfies RulesOf<WaitForOptions>);

const EACH_RULES = new OptionTable({
  cursor(value: unknown, path: string): (item: unknown) => unknown {
    if (typeof value === 'function') return value as (item: unknown) => unknown;
    throw wrong(
      path,
      value,
      'It must be a function that returns the position of an item, such as (row) => row.id.',
    );
  },
  every: wholeNumber({ min: 1 }),
} satisfies RulesOf<EachOptions<unknown, unknown>>);

export type ResolvedStep = Resolved<typeof STEP_RULES>;

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveStepOptions(options: unknown): ResolvedStep {
  return STEP_RULES.resolve(options, 'ctx.step()', 'ctx.step() ');
}

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveWaitOptions(options: unknown): Resolved<typeof WAIT_RULES> {
  return WAIT_RULES.resolve(options, 'ctx.waitFor()', 'ctx.waitFor() ');
}

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveEachOptions(options: unknown): Resolved<typeof EACH_RULES> {
  return EACH_RULES.resolve(options, 'ctx.each()', 'ctx.each() ');
}

/**
 * The key and the queue of a child job, and the options of its submission.
 *
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export function splitChildOptions(options: ChildOptions): {
  readonly key: string | undefined;
  readonly queue: string | undefined;
  readonly submit: SubmitOptions;
} {
  const { key, queue, ...submit } = options;
  for (const name of ['taskId', 'dedupe'] as const)
    if (name in submit)
      throw wrong(
        `ctx.with() ${name}`,
        submit[name as never],
        'A child job has an id of its own: leave it out, and give a key.',
      );
  return {
    key: optional(checkStepName)(key, 'ctx.with() key'),
    queue: optional(checkQueueName)(queue, 'ctx.with() queue'),
    submit,
  };
}
