import { checkKeys, duration, flag, suggest, wholeNumber, wrong } from './check.js';
import { FlowrraConfigError } from '../core/errors.js';
import { CPU_QUEUE, DEFAULT_QUEUE, type ResolvedTask, type TaskPolicy } from './resolved-options.js';
import type { Backoff, RegisterOptions, TaskOptions, TaskPolicyOptions } from './task-options.js';

const KEYS = [
  'name',
  'queue',
  'cpuBound',
  'file',
  'export',
  'maxRetries',
  'retryDelay',
  'backoff',
  'maxRetryDelay',
  'jitter',
  'timeout',
  'killGrace',
] as const satisfies readonly (keyof TaskOptions | keyof RegisterOptions)[];

const LONGEST_NAME = 200;

/**
 * Checks the options of one task.
 *
 * @param fallbackName The name of a task that was given none.
 * @throws {FlowrraConfigError} naming the task, the option, the value and what would be right.
 */
export function resolveTaskOptions(
  options: TaskOptions | RegisterOptions,
  fallbackName: string,
  knownQueues: ReadonlySet<string>,
): ResolvedTask {
  checkKeys(options, KEYS, `Task '${fallbackName}'`);
  const name = taskName(options.name ?? fallbackName, fallbackName);
  const at = (key: string): string => `Task '${name}', ${key}`;
  const cpuBound = flag(options.cpuBound, at('cpuBound'), false);
  for (const [key, value] of [
    ['file', options.file],
    ['export', 'export' in options ? options.export : undefined],
  ] as const) {
    if (!cpuBound && value !== undefined)
      throw wrong(at(key), value, 'It is of use with cpuBound: true only.');
  }
  const queue: unknown = options.queue ?? (cpuBound ? CPU_QUEUE : DEFAULT_QUEUE);
  if (typeof queue !== 'string' || !knownQueues.has(queue)) {
    throw wrong(
      at('queue'),
      queue,
      `Declare it in forRoot({ queues }). ${suggest(String(queue), [...knownQueues])}`,
    );
  }
  if (queue === CPU_QUEUE && !cpuBound) {
    throw wrong(at('queue'), queue, 'That queue is for tasks with cpuBound: true.');
  }
  return { name, queue, cpuBound, policy: resolvePolicy(options, at) };
}

function taskName(name: unknown, fallbackName: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME && !/\p{Cc}/u.test(name))
    return name;
  throw wrong(
    `Task '${fallbackName}', name`,
    name,
    `It must be 1 to ${LONGEST_NAME} characters, none of them a control character.`,
  );
}

function resolvePolicy(options: TaskPolicyOptions, at: (key: string) => string): TaskPolicy {
  return {
    maxRetries: wholeNumber(options.maxRetries, at('maxRetries'), { min: 0, max: Infinity, fallback: 3 }),
    retryDelay: duration(options.retryDelay, at('retryDelay'), 1_000),
    backoff: backoff(options.backoff, at('backoff')),
    maxRetryDelay: duration(options.maxRetryDelay, at('maxRetryDelay'), 3_600_000),
    jitter: flag(options.jitter, at('jitter'), false),
    timeout: duration(options.timeout, at('timeout'), Infinity),
    killGrace: duration(options.killGrace, at('killGrace'), 5_000),
  };
}

function backoff(value: unknown, path: string): Backoff {
  if (value === undefined) return 'fixed';
  if (value === 'fixed' || value === 'exponential' || typeof value === 'function') return value as Backoff;
  throw new FlowrraConfigError(
    `${path}: '${String(value)}' is no backoff. ${suggest(String(value), ['fixed', 'exponential'])} Or a function of attempt and error.`,
  );
}
