import { checkKeys, suggest, wrong } from './check.js';
import type { Duration } from './duration.js';
import { checkTaskName } from './names.js';
import type { Backoff, ResolvedTask, TaskPolicy } from './policy.js';
import { CPU_QUEUE, DEFAULT_QUEUE } from './queue.js';
import {
  duration,
  fileUrl,
  flag,
  optional,
  OptionTable,
  type RulesOf,
  text,
  timeLimit,
  wholeNumber,
} from './rules.js';
import { checkSchemas, type StandardSchema } from './standard-schema.js';
import { checkTaskTags, type TaskTags } from './tags.js';

/** How a worker treats failed and long attempts of a task. */
export interface TaskPolicyOptions {
  /**
   * Retries after the first attempt: 0 or more, or `Infinity`.
   *
   * @defaultValue `3`
   */
  maxRetries?: number;
  /**
   * Delay before a retry; for `'exponential'`, before the first one.
   *
   * @defaultValue `'1s'`
   */
  retryDelay?: Duration;
  /**
   * How the delay grows with each retry: `'fixed'`, `'exponential'`, or a function that returns the delay.
   *
   * @defaultValue `'fixed'`
   */
  backoff?: Backoff;
  /**
   * The longest delay with `'exponential'`: at least `retryDelay`.
   *
   * @defaultValue `'1h'`
   */
  maxRetryDelay?: Duration;
  /**
   * Full jitter: each delay is a random time from 0 to the delay that `backoff` gives.
   *
   * @defaultValue `false`
   */
  jitter?: boolean;
  /**
   * How long an attempt may run, at least 1 ms, before its signal is aborted. `Infinity` for no limit.
   *
   * @defaultValue `Infinity`
   */
  timeout?: Duration;
  /**
   * How long an aborted attempt may take to end by itself. Afterwards it counts as failed and, if the task is
   * CPU-bound, its thread is ended.
   *
   * @defaultValue `'5s'`
   */
  killGrace?: Duration;
  /**
   * How long after the submission a job may be started or retried, at least 1 ms; later it is cancelled
   * instead. A running attempt is not interrupted. `Infinity` for no limit.
   *
   * @defaultValue `Infinity`
   */
  expires?: Duration;
  /**
   * The name of the task that is submitted, with a `DeadLetter` as its argument, for each job that has
   * failed for good. `null` for none.
   *
   * @defaultValue `deadLetter` of `forRoot()`, otherwise `null`
   */
  deadLetter?: string | null;
}

/**
 * Options of `@Task()`.
 *
 * @typeParam A The arguments of the function in `tags`.
 */
export interface TaskOptions<A extends readonly unknown[] = never[]> extends TaskPolicyOptions {
  /**
   * The name that is stored with jobs: 1 to 200 characters, none a control character.
   *
   * @defaultValue `ClassName.methodName`
   */
  name?: string;
  /**
   * The queue of the task's jobs: `'default'`, `'cpu'` (for CPU-bound tasks only), or a declared one.
   *
   * @defaultValue `'cpu'` for a CPU-bound task, otherwise `'default'`
   */
  queue?: string;
  /**
   * Run in a worker thread.
   *
   * @defaultValue `false`
   */
  cpuBound?: boolean;
  /**
   * Validates the arguments, by zod or any other Standard Schema library: one schema for the list of all
   * arguments, or an array with one for each (`null` for none). The task receives the values that the
   * schemas return.
   *
   * @defaultValue no validation
   */
  schema?: StandardSchema<readonly unknown[]> | readonly (StandardSchema | null)[];
  /**
   * CPU-bound only: the file that a thread imports to find this class. `import.meta.url` in ES modules,
   * `__filename` in CommonJS.
   *
   * @defaultValue the file in which the decorator is applied
   */
  file?: string | URL;
  /**
   * Words by which `jobs.find({ tag })` finds the jobs of this task: a list, or a function that is called at each
   * submission with its arguments and returns the list. At most 10 tags, each of 1 to 100 characters, none a control
   * character. If the function throws, the submission is rejected.
   *
   * @defaultValue no tags
   */
  tags?: TaskTags<A>;
}

/** Options of one task in `forRoot({ tasks })`. They take precedence over those of its decorator. */
export interface TaskOverrideOptions extends TaskPolicyOptions {
  /**
   * The queue of the task's jobs. Jobs that already wait stay in their queue.
   *
   * @defaultValue the queue of the decorator
   */
  queue?: string;
}

/** Options of `register()`, for a plain function. */
export interface RegisterOptions extends TaskPolicyOptions {
  /** The name that is stored with jobs: 1 to 200 characters, none a control character. */
  name: string;
  /**
   * The queue of the task's jobs: `'default'`, `'cpu'` (for CPU-bound tasks only), or a declared one.
   *
   * @defaultValue `'cpu'` for a CPU-bound task, otherwise `'default'`
   */
  queue?: string;
  /**
   * Run in a worker thread; requires `file`.
   *
   * @defaultValue `false`
   */
  cpuBound?: boolean;
  /**
   * Validates the arguments: one Standard Schema for the list of all, or an array with one for each (`null`
   * for none).
   *
   * @defaultValue no validation
   */
  schema?: StandardSchema<readonly unknown[]> | readonly (StandardSchema | null)[];
  /**
   * CPU-bound only, and required there: the file that a thread imports to find the function, as an absolute path or
   * a `file:` URL.
   *
   * @defaultValue none
   */
  file?: string | URL;
  /**
   * CPU-bound only: the name under which `file` exports the function.
   *
   * @defaultValue `'default'`
   */
  export?: string;
  /**
   * Words by which `jobs.find({ tag })` finds the jobs of this task: a list, or a function that is called at each
   * submission with its arguments and returns the list. At most 10 tags, each of 1 to 100 characters, none a control
   * character. If the function throws, the submission is rejected.
   *
   * @defaultValue no tags
   */
  tags?: TaskTags;
}

/**
 * Stores a part of the submitter's context with each job, and runs its attempts in it: a tenant, a user or a trace,
 * from your own `AsyncLocalStorage` or from `nestjs-cls`.
 *
 * @example
 * context: {
 *   capture: () => ({ tenant: tenants.getStore() }),
 *   run: ({ tenant } = {}, next) => tenants.run(tenant, next),
 * }
 */
export interface ContextOptions<T = unknown> {
  /** Called at each submission. Returns plain data of at most 16 KiB, or `undefined` for none. */
  capture(): T | undefined;
  /** Called for each attempt: calls `next` in the captured context, and returns its result. */
  run(captured: T | undefined, next: () => unknown): unknown;
}

const POLICY_RULES = new OptionTable({
  maxRetries: wholeNumber({ min: 0, infinite: true, default: 3 }),
  retryDelay: duration({ default: '1s' }),
  backoff(value: unknown = 'fixed', path): Backoff {
    if (value === 'fixed' || value === 'exponential' || typeof value === 'function') return value as Backoff;
    throw wrong(
      path,
      value,
      `${suggest(value, ['fixed', 'exponential'])} Or a function of attempt and error.`,
    );
  },
  maxRetryDelay: duration({ default: '1h' }),
  jitter: flag(false),
  timeout: timeLimit,
  killGrace: duration({ default: '5s' }),
  expires: timeLimit,
  /** `undefined` for the application's dead letter task. */
  deadLetter: optional((value, path) => (value === null ? null : checkTaskName(value, path))),
} satisfies RulesOf<TaskPolicyOptions>);

const OWN_RULES = new OptionTable({
  name: optional(checkTaskName),
  cpuBound: flag(false),
  file: optional(fileUrl('import.meta.url, or __filename in CommonJS')),
  export: text(/./s, "It must be the name of one of the file's exports."),
  schema: checkSchemas,
  tags: checkTaskTags,
} satisfies RulesOf<Omit<TaskOptions & RegisterOptions, keyof TaskOverrideOptions>>);

/** The option names of `forRoot({ tasks })`. */
export const OVERRIDE_KEYS: readonly string[] = ['queue', ...POLICY_RULES.keys];
const KEYS = [...OWN_RULES.keys, ...OVERRIDE_KEYS];

/** The settings of an application that apply to all of its tasks. */
export interface TaskDefaults {
  /** Options by task name, which take precedence over the task's own. */
  readonly overrides: ReadonlyMap<string, TaskOverrideOptions>;
  /** The application's queues, including `default` and `cpu`. */
  readonly knownQueues: ReadonlySet<string>;
  readonly deadLetter: string | null;
}

/**
 * Checks the options of one task.
 *
 * @param defaultName The task's name if `own` has none.
 * @throws {FlowrraConfigError} that names the task, the option, its value and the valid values.
 */
export function resolveTaskOptions(
  own: TaskOptions | RegisterOptions,
  defaultName: string,
  defaults: TaskDefaults,
): ResolvedTask {
  const shownName = typeof own?.name === 'string' ? own.name : defaultName;
  const at = `Task '${shownName}', `;
  checkKeys(own, KEYS, `Task '${shownName}'`);
  const options: TaskOptions & { export?: string } = { ...own, ...defaults.overrides.get(shownName) };
  const { cpuBound, name, tags } = OWN_RULES.apply(options, at);
  for (const key of ['file', 'export'] as const)
    if (!cpuBound && options[key] !== undefined)
      throw wrong(at + key, options[key], 'It is for threads only: add cpuBound: true, or leave it out.');
  return {
    name: name ?? checkTaskName(defaultName, `${at}name`),
    queue: resolveQueue(options.queue, cpuBound, defaults.knownQueues, `${at}queue`),
    cpuBound,
    policy: resolvePolicy(options, defaults.deadLetter, at),
    tags,
  };
}

function resolveQueue(
  queue: unknown,
  cpuBound: boolean,
  knownQueues: ReadonlySet<string>,
  path: string,
): string {
  if (queue === undefined) return cpuBound ? CPU_QUEUE : DEFAULT_QUEUE;
  if (typeof queue !== 'string' || !knownQueues.has(queue))
    throw wrong(
      path,
      queue,
      `Declare it in forRoot({ queues }) or forFeature({ queues }). ${suggest(queue, [...knownQueues])}`,
    );
  if (queue === CPU_QUEUE && !cpuBound)
    throw wrong(path, queue, 'That queue is for CPU-bound tasks: add cpuBound: true, or name another queue.');
  return queue;
}

function resolvePolicy(options: TaskPolicyOptions, deadLetter: string | null, at: string): TaskPolicy {
  const policy = POLICY_RULES.apply(options, at);
  if (policy.backoff === 'exponential' && policy.retryDelay > policy.maxRetryDelay)
    throw wrong(
      `${at}retryDelay`,
      options.retryDelay,
      `It must be at most maxRetryDelay (${policy.maxRetryDelay} ms), the limit of 'exponential'. Raise maxRetryDelay as well.`,
    );
  return { ...policy, deadLetter: policy.deadLetter === undefined ? deadLetter : policy.deadLetter };
}
