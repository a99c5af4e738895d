import {
  checkKeys,
  duration,
  flag,
  keysOf,
  suggest,
  timeLimit,
  wholeNumber,
  wrong,
} from '../../job/check.js';
import { fileUrl } from './file-url.js';
import { checkTaskName } from '../../job/names.js';
import { isStandardSchema } from '../../job/standard-schema.js';
import { CPU_QUEUE, DEFAULT_QUEUE } from '../../job/queue.js';
import { type ResolvedTask, type TaskPolicy, type Backoff } from '../../job/policy.js';
import type {
  RegisterOptions,
  TaskOptions,
  TaskOverrideOptions,
  TaskPolicyOptions,
} from '../../job/task-options.js';

/** What may be said of a task from outside as well. */
export const OVERRIDE_KEYS = keysOf<TaskOverrideOptions>({
  queue: true,
  maxRetries: true,
  retryDelay: true,
  backoff: true,
  maxRetryDelay: true,
  jitter: true,
  timeout: true,
  killGrace: true,
  expires: true,
  deadLetter: true,
});
const OWN_KEYS = keysOf<Omit<TaskOptions & RegisterOptions, keyof TaskOverrideOptions>>({
  name: true,
  cpuBound: true,
  file: true,
  export: true,
  schema: true,
});
const KEYS = [...OWN_KEYS, ...OVERRIDE_KEYS];

/** What an application says of its tasks. */
export interface TaskDefaults {
  /** Options over those of a task's own, by its name. */
  readonly overrides: ReadonlyMap<string, TaskOverrideOptions>;
  /** Its queues, `default` and `cpu` among them. */
  readonly knownQueues: ReadonlySet<string>;
  readonly deadLetter: string | null;
}

/** Names an option of the task at hand in errors. */
type At = (key: string) => string;

/**
 * Checks the options of one task.
 *
 * @param fallbackName The name of a task that was given none.
 * @throws {FlowrraConfigError} naming the task, the option, the value and what would be right.
 */
export function resolveTaskOptions(
  own: TaskOptions | RegisterOptions,
  fallbackName: string,
  defaults: TaskDefaults,
): ResolvedTask {
  const { knownQueues } = defaults;
  const called = typeof own?.name === 'string' ? own.name : fallbackName;
  checkKeys(own, KEYS, `Task '${called}'`);
  const options = { ...own, ...defaults.overrides.get(called) };
  const at: At = (key) => `Task '${called}', ${key}`;
  const cpuBound = flag(options.cpuBound, at('cpuBound'), false);
  checkFile(options, cpuBound, at);
  checkSchema(own.schema, at('schema'));
  return {
    name: checkTaskName(options.name ?? fallbackName, at('name')),
    queue: resolveQueue(options.queue, cpuBound, knownQueues, at('queue')),
    cpuBound,
    policy: resolvePolicy(options, defaults.deadLetter, at),
  };
}

function checkSchema(schema: unknown, path: string): void {
  if (schema === undefined || isStandardSchema(schema)) return;
  if (Array.isArray(schema) && schema.every((each) => each === null || isStandardSchema(each))) return;
  throw wrong(
    path,
    schema,
    'It must be a Standard Schema, such as z.tuple([…]), or an array of one for each argument.',
  );
}

function checkFile(options: { file?: unknown; export?: unknown }, cpuBound: boolean, at: At): void {
  for (const key of ['file', 'export'] as const) {
    if (cpuBound || options[key] === undefined) continue;
    throw wrong(at(key), options[key], 'It says what a thread loads: add cpuBound: true, or leave it out.');
  }
  if (options.file !== undefined)
    fileUrl(options.file, at('file'), 'import.meta.url, or __filename in CommonJS');
  if (options.export === undefined || (typeof options.export === 'string' && options.export !== '')) return;
  throw wrong(at('export'), options.export, "It must be the name of one of the file's exports.");
}

function resolveQueue(
  queue: unknown,
  cpuBound: boolean,
  knownQueues: ReadonlySet<string>,
  path: string,
): string {
  if (queue === undefined) return cpuBound ? CPU_QUEUE : DEFAULT_QUEUE;
  if (typeof queue !== 'string' || !knownQueues.has(queue)) {
    throw wrong(
      path,
      queue,
      `Declare it in forRoot({ queues }) or forFeature({ queues }). ${suggest(queue, [...knownQueues])}`,
    );
  }
  if (queue === CPU_QUEUE && !cpuBound) {
    throw wrong(path, queue, 'That queue is for CPU-bound tasks: add cpuBound: true, or name another queue.');
  }
  return queue;
}

function resolvePolicy(options: TaskPolicyOptions, fallbackDeadLetter: string | null, at: At): TaskPolicy {
  const policy: TaskPolicy = {
    maxRetries: wholeNumber(options.maxRetries, at('maxRetries'), { min: 0, infinite: true, fallback: 3 }),
    retryDelay: duration(options.retryDelay, at('retryDelay'), 1_000),
    backoff: resolveBackoff(options.backoff, at('backoff')),
    maxRetryDelay: duration(options.maxRetryDelay, at('maxRetryDelay'), 3_600_000),
    jitter: flag(options.jitter, at('jitter'), false),
    timeout: timeLimit(options.timeout, at('timeout')),
    killGrace: duration(options.killGrace, at('killGrace'), 5_000),
    expires: timeLimit(options.expires, at('expires')),
    deadLetter: resolveDeadLetter(options.deadLetter, fallbackDeadLetter, at('deadLetter')),
  };
  if (policy.backoff === 'exponential' && policy.retryDelay > policy.maxRetryDelay) {
    throw wrong(
      at('retryDelay'),
      options.retryDelay,
      `It is longer than maxRetryDelay (${policy.maxRetryDelay} ms), at which 'exponential' stops. Raise that one as well.`,
    );
  }
  return policy;
}

function resolveDeadLetter(value: unknown, fallback: string | null, path: string): string | null {
  if (value === undefined) return fallback;
  return value === null ? null : checkTaskName(value, path);
}

function resolveBackoff(value: unknown, path: string): Backoff {
  if (value === undefined) return 'fixed';
  if (value === 'fixed' || value === 'exponential' || typeof value === 'function') return value as Backoff;
  throw wrong(path, value, `${suggest(value, ['fixed', 'exponential'])} Or a function of attempt and error.`);
}
