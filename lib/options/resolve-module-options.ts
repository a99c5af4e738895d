import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../core/clock.js';
import { FlowrraConfigError } from '../core/errors.js';
import { checkKeys, duration, oneOf, wholeNumber, wrong } from './check.js';
import type { CpuOptions, FlowrraModuleOptions, QueueOptions, RemoteTaskOptions } from './module-options.js';
import { CPU_QUEUE, DEFAULT_QUEUE, type ResolvedOptions, type ResolvedQueue } from './resolved-options.js';

const KEYS = [
  'numWorkers',
  'cpuWorkers',
  'cpu',
  'queues',
  'engine',
  'backend',
  'role',
  'maxPending',
  'whenFull',
  'resultTtl',
  'maxResults',
  'maxPayloadBytes',
  'shutdownTimeout',
  'remoteTasks',
  'clock',
] as const satisfies readonly (keyof FlowrraModuleOptions)[];

const QUEUE_NAME = /^[\w.-]{1,100}$/;
const MOST = Number.MAX_SAFE_INTEGER;

/**
 * Checks what the user configured, once, and fills in every default.
 *
 * @throws {FlowrraConfigError} naming the option, the value and what would be right.
 */
export function resolveModuleOptions(options: FlowrraModuleOptions): ResolvedOptions {
  checkKeys(options, KEYS, 'FlowrraModule options');
  const cpuWorkers = wholeNumber(options.cpuWorkers, 'cpuWorkers', {
    min: 1,
    max: 1_000,
    fallback: availableParallelism(),
  });
  const engine = resolveEngineOption(options.engine);
  const role = oneOf(options.role, 'role', ['all', 'producer', 'worker'], 'all');
  if (role === 'producer' && typeof engine === 'string' && engine.startsWith('memory:')) {
    throw new FlowrraConfigError(
      "role: 'producer' on the memory engine would submit jobs that nobody can run. Use an engine that other processes share, or role: 'all'.",
    );
  }
  return {
    queues: resolveQueues(options, cpuWorkers),
    cpu: resolveCpu(options.cpu, cpuWorkers),
    engine,
    backend: resolveBackend(options.backend),
    role,
    maxPending: wholeNumber(options.maxPending, 'maxPending', { min: 1, max: Infinity, fallback: Infinity }),
    whenFull: oneOf(options.whenFull, 'whenFull', ['wait', 'reject'], 'wait'),
    resultTtl: duration(options.resultTtl, 'resultTtl', 3_600_000),
    maxResults: wholeNumber(options.maxResults, 'maxResults', { min: 1, max: MOST, fallback: 100_000 }),
    maxPayloadBytes: wholeNumber(options.maxPayloadBytes, 'maxPayloadBytes', {
      min: 1,
      max: MOST,
      fallback: 1_048_576,
    }),
    shutdownTimeout: duration(options.shutdownTimeout, 'shutdownTimeout', 30_000),
    remoteTasks: resolveRemoteTasks(options.remoteTasks),
    clock: options.clock ?? systemClock,
  };
}

function resolveQueues(
  { queues = {}, numWorkers }: FlowrraModuleOptions,
  cpuWorkers: number,
): ResolvedQueue[] {
  if (typeof queues !== 'object' || queues === null || Array.isArray(queues)) {
    throw wrong('queues', queues, 'It must be an object of queues by name: { reports: { concurrency: 2 } }.');
  }
  if (Object.hasOwn(queues, CPU_QUEUE))
    throw wrong(`queues.${CPU_QUEUE}`, queues[CPU_QUEUE], 'Its concurrency is cpuWorkers.');
  const given = Object.entries(queues).map(([name, queue]) => resolveQueue(name, queue));
  const explicit = given.find(({ name }) => name === DEFAULT_QUEUE);
  if (explicit && numWorkers !== undefined) {
    throw wrong(
      `queues.${DEFAULT_QUEUE}`,
      queues[DEFAULT_QUEUE],
      'Its concurrency is numWorkers, which is given as well. Keep one.',
    );
  }
  const defaultQueue = explicit ?? {
    name: DEFAULT_QUEUE,
    concurrency: wholeNumber(numWorkers, 'numWorkers', { min: 1, max: MOST, fallback: 4 }),
  };
  return [
    defaultQueue,
    { name: CPU_QUEUE, concurrency: cpuWorkers },
    ...given.filter((queue) => queue !== explicit),
  ];
}

function resolveQueue(name: string, queue: QueueOptions): ResolvedQueue {
  const path = `queues.${name}`;
  if (!QUEUE_NAME.test(name))
    throw wrong(path, name, 'A queue is named by 1 to 100 letters, digits, _ . and -.');
  checkKeys(queue, ['concurrency'] satisfies (keyof QueueOptions)[], path);
  return {
    name,
    concurrency: wholeNumber(queue.concurrency, `${path}.concurrency`, { min: 1, max: MOST, fallback: 1 }),
  };
}

function resolveCpu(cpu: CpuOptions = {}, threads: number): ResolvedOptions['cpu'] {
  checkKeys(cpu, ['module', 'mode', 'resourceLimits'] satisfies (keyof CpuOptions)[], 'cpu');
  const limits = cpu.resourceLimits ?? null;
  if (limits !== null) {
    checkKeys(
      limits,
      ['maxYoungGenerationSizeMb', 'maxOldGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb'],
      'cpu.resourceLimits',
    );
  }
  return {
    threads,
    module:
      cpu.module === undefined
        ? null
        : fileUrl(cpu.module, 'cpu.module', "new URL('./cpu.module.js', import.meta.url)"),
    mode: oneOf(cpu.mode, 'cpu.mode', ['thread', 'inline'], 'thread'),
    resourceLimits: limits === null ? null : { ...limits },
  };
}

/**
 * A file that a thread can import, as a `file:` URL.
 *
 * @throws {FlowrraConfigError} for a relative path: nobody could tell what it is relative to.
 */
export function fileUrl(file: unknown, path: string, example: string): string {
  if (file instanceof URL && file.protocol === 'file:') return file.href;
  if (typeof file === 'string' && file.startsWith('file:')) return file;
  if (typeof file === 'string' && isAbsolute(file)) return pathToFileURL(file).href;
  throw wrong(path, file, `It must be a file: URL or an absolute path, such as ${example}.`);
}

function resolveEngineOption(engine: unknown = 'memory:'): ResolvedOptions['engine'] {
  if (typeof engine === 'string' && engine !== '') return engine;
  if (
    hasMethods<Exclude<ResolvedOptions['engine'], string>>(engine, [
      'connect',
      'consume',
      'enqueue',
      'drain',
      'close',
    ])
  )
    return engine;
  throw wrong('engine', engine, "It must be a URL such as 'memory:', or an engine.");
}

function resolveBackend(backend: unknown): ResolvedOptions['backend'] {
  if (backend === undefined) return null;
  const methods = ['store', 'get', 'waitFor'];
  if (typeof backend === 'function' && hasMethods((backend as { prototype?: unknown }).prototype, methods)) {
    return backend as Exclude<ResolvedOptions['backend'], null>;
  }
  if (hasMethods<Exclude<ResolvedOptions['backend'], null>>(backend, methods)) return backend;
  throw wrong(
    'backend',
    backend,
    'It must be a ResultBackend, or a class that extends it: one with store, get and waitFor.',
  );
}

function resolveRemoteTasks(tasks: FlowrraModuleOptions['remoteTasks'] = {}): ResolvedOptions['remoteTasks'] {
  if (typeof tasks !== 'object' || tasks === null || Array.isArray(tasks)) {
    throw wrong(
      'remoteTasks',
      tasks,
      "It must be an object of tasks by name: { 'EmailTasks.sendWelcome': { queue: 'mail' } }.",
    );
  }
  return new Map(
    Object.entries(tasks).map(([name, task]) => {
      const path = `remoteTasks['${name}']`;
      checkKeys(task, ['queue'] satisfies (keyof RemoteTaskOptions)[], path);
      const queue: unknown = task.queue ?? DEFAULT_QUEUE;
      if (typeof queue !== 'string' || !QUEUE_NAME.test(queue))
        throw wrong(`${path}.queue`, queue, 'It must be the name of a queue.');
      return [name, { queue }];
    }),
  );
}

function hasMethods<T extends object>(value: unknown, methods: readonly string[]): value is T {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}
