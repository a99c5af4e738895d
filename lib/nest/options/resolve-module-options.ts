import { availableParallelism } from 'node:os';
import type { ResourceLimits } from 'node:worker_threads';
import { type Clock, systemClock } from '../../job/clock.js';
import { ResultBackend } from '../../results/result-backend.js';
import {
  checkKeys,
  checkObject,
  duration,
  flag,
  hasMethods,
  keysOf,
  oneOf,
  suggest,
  wholeNumber,
  wrong,
} from '../../job/check.js';
import { resolveEngineOption } from './engine-option.js';
import { fileUrl } from './file-url.js';
import type { ContextOptions } from '../../job/task-options.js';
import type { CpuOptions, FlowrraModuleOptions, RemoteTaskOptions } from './module-options.js';
import { type DeclaredQueues, mergeFeatures } from './merge-features.js';
import { checkQueueName, checkTaskName } from '../../job/names.js';
import { OVERRIDE_KEYS } from './resolve-task-options.js';
import { resolveQueues } from './resolve-queues.js';
import { DEFAULT_QUEUE, type ResolvedQueue } from '../../job/queue.js';
import { type ResolvedOptions } from './resolved-options.js';

export const MODULE_KEYS = keysOf<FlowrraModuleOptions>({
  numWorkers: true,
  cpuWorkers: true,
  cpu: true,
  queues: true,
  engine: true,
  backend: true,
  role: true,
  maxPending: true,
  whenFull: true,
  resultTtl: true,
  maxResults: true,
  maxPayloadBytes: true,
  shutdownTimeout: true,
  tasks: true,
  globalEnhancers: true,
  context: true,
  deadLetter: true,
  remoteTasks: true,
  clock: true,
});
const CPU_KEYS = keysOf<CpuOptions>({ module: true, mode: true, resourceLimits: true });
const LIMIT_KEYS = keysOf<ResourceLimits>({
  maxYoungGenerationSizeMb: true,
  maxOldGenerationSizeMb: true,
  codeRangeSizeMb: true,
  stackSizeMb: true,
});
const REMOTE_TASK_KEYS = keysOf<RemoteTaskOptions>({ queue: true });

const BACKEND_METHODS: readonly (keyof ResultBackend)[] = ['store', 'get', 'waitFor'];

/**
 * Checks what the user configured, once, and fills in every default. The result shares no object
 * with `options`, except the engine, the backend and the clock.
 *
 * @param features The queues that features bring along.
 * @throws {FlowrraConfigError} naming the option, the value and what would be right.
 */
export function resolveModuleOptions(
  options: FlowrraModuleOptions,
  features: readonly DeclaredQueues[] = [],
): ResolvedOptions {
  checkKeys(options, MODULE_KEYS, 'FlowrraModule options');
  const cpuWorkers = wholeNumber(options.cpuWorkers, 'cpuWorkers', {
    min: 1,
    max: 1_000,
    fallback: availableParallelism(),
  });
  const engine = resolveEngineOption(options);
  const queues = mergeFeatures(resolveQueues(options, cpuWorkers), features);
  return {
    queues,
    cpu: resolveCpu(options.cpu, cpuWorkers),
    engine,
    backend: resolveBackend(options.backend),
    role: resolveRole(options.role, engine),
    maxPending: wholeNumber(options.maxPending, 'maxPending', { min: 1, infinite: true, fallback: Infinity }),
    whenFull: oneOf(options.whenFull, 'whenFull', ['wait', 'reject'], 'wait'),
    resultTtl: duration(options.resultTtl, 'resultTtl', 3_600_000),
    maxResults: wholeNumber(options.maxResults, 'maxResults', { min: 1, fallback: 100_000 }),
    maxPayloadBytes: wholeNumber(options.maxPayloadBytes, 'maxPayloadBytes', { min: 1, fallback: 1_048_576 }),
    shutdownTimeout: duration(options.shutdownTimeout, 'shutdownTimeout', 30_000),
    tasks: resolveTaskOverrides(options.tasks),
    globalEnhancers: flag(options.globalEnhancers, 'globalEnhancers', false),
    context: resolveContext(options.context),
    deadLetter: options.deadLetter === undefined ? null : checkTaskName(options.deadLetter, 'deadLetter'),
    remoteTasks: resolveRemoteTasks(options.remoteTasks, queues),
    clock: resolveClock(options.clock),
  };
}

function resolveCpu(cpu: CpuOptions = {}, threads: number): ResolvedOptions['cpu'] {
  checkKeys(cpu, CPU_KEYS, 'cpu');
  const { module } = cpu;
  return {
    threads,
    module:
      module === undefined
        ? null
        : fileUrl(
            module,
            'cpu.module',
            "new URL('./cpu.module.js', import.meta.url), or join(__dirname, 'cpu.module.js') in CommonJS",
          ),
    mode: oneOf(cpu.mode, 'cpu.mode', ['thread', 'inline'], 'thread'),
    resourceLimits: resolveResourceLimits(cpu.resourceLimits),
  };
}

function resolveResourceLimits(limits: ResourceLimits | undefined): ResourceLimits | null {
  if (limits === undefined) return null;
  const path = 'cpu.resourceLimits';
  checkKeys(limits, LIMIT_KEYS, path);
  for (const [key, megabytes] of Object.entries(limits)) {
    if (megabytes === undefined || (typeof megabytes === 'number' && megabytes > 0 && megabytes < Infinity))
      continue;
    throw wrong(`${path}.${key}`, megabytes, 'It must be a number of megabytes above 0.');
  }
  return { ...limits };
}

function resolveRole(value: unknown, engine: ResolvedOptions['engine']): ResolvedOptions['role'] {
  const role = oneOf(value, 'role', ['all', 'producer', 'worker'], 'all');
  if (role === 'producer' && typeof engine === 'string' && /^memory:/i.test(engine)) {
    throw wrong(
      'role',
      role,
      `The engine '${engine}' lives in this process alone, so nobody would run what a producer submits. Use an engine that other processes share, or role: 'all'.`,
    );
  }
  return role;
}

function resolveBackend(backend: unknown): ResolvedOptions['backend'] {
  if (backend === undefined) return null;
  if (isBackendClass(backend) || hasMethods<ResultBackend>(backend, BACKEND_METHODS)) return backend;
  throw wrong(
    'backend',
    backend,
    `It must be a ResultBackend, or a class that extends it: one with ${BACKEND_METHODS.join(', ')}.`,
  );
}

/** A subclass may hold its methods as properties, which only an instance shows. */
function isBackendClass(
  value: unknown,
): value is Extract<ResolvedOptions['backend'], new (...args: never) => unknown> {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  return prototype instanceof ResultBackend || hasMethods(prototype, BACKEND_METHODS);
}

function resolveContext(context: unknown): ContextOptions | null {
  if (context === undefined) return null;
  if (hasMethods<ContextOptions>(context, ['capture', 'run'])) return context;
  throw wrong('context', context, 'It must be an object with capture and run.');
}

function resolveTaskOverrides(tasks: FlowrraModuleOptions['tasks'] = {}): ResolvedOptions['tasks'] {
  checkObject(
    tasks,
    'tasks',
    "It must be an object of options by the tasks' names: { 'EmailTasks.sendWelcome': { maxRetries: 10 } }.",
  );
  return new Map(
    Object.entries(tasks).map(([name, override]) => {
      const path = `tasks['${name}']`;
      checkTaskName(name, path);
      checkKeys(override, OVERRIDE_KEYS, path);
      return [name, { ...override }];
    }),
  );
}

function resolveRemoteTasks(
  tasks: FlowrraModuleOptions['remoteTasks'] = {},
  queues: readonly ResolvedQueue[],
): ResolvedOptions['remoteTasks'] {
  const known = queues.map(({ name }) => name);
  checkObject(
    tasks,
    'remoteTasks',
    "It must be an object of tasks by name: { 'EmailTasks.sendWelcome': { queue: 'mail' } }.",
  );
  return new Map(
    Object.entries(tasks).map(([name, task]) => {
      const path = `remoteTasks['${name}']`;
      checkTaskName(name, path);
      checkKeys(task, REMOTE_TASK_KEYS, path);
      const queue = checkQueueName(task.queue ?? DEFAULT_QUEUE, `${path}.queue`);
      if (known.includes(queue)) return [name, { queue }];
      throw wrong(
        `${path}.queue`,
        queue,
        `Declare it in forRoot({ queues }) or forFeature({ queues }). ${suggest(queue, known)}`,
      );
    }),
  );
}

function resolveClock(clock: unknown = systemClock): Clock {
  if (hasMethods<Clock>(clock, ['now', 'after'])) return clock;
  throw wrong('clock', clock, 'It must be an object with now and after.');
}
