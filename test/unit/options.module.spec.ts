import { availableParallelism } from 'node:os';
import { systemClock } from '../../lib/core/clock.js';
import type { TaskResult } from '../../lib/core/task-result.js';
import { memoryEngine } from '../../lib/engine/memory/memory-engine.js';
import type { FlowrraModuleOptions } from '../../lib/options/module-options.js';
import { resolveModuleOptions } from '../../lib/options/resolve-module-options.js';
import { InMemoryBackend } from '../../lib/results/in-memory-backend.js';
import { ResultBackend } from '../../lib/results/result-backend.js';
import { configError } from '../support/config-error.js';
import { queueOf } from '../support/jobs.js';
import { ManualClock } from '../support/manual-clock.js';

/** Options as a JavaScript user may write them. */
const resolve = (options: unknown) => resolveModuleOptions(options as FlowrraModuleOptions);

describe('resolveModuleOptions', () => {
  it('fills in every default', () => {
    expect(resolve({})).toEqual({
      queues: [
        queueOf('default', { concurrency: 4 }),
        queueOf('cpu', { concurrency: availableParallelism() }),
      ],
      cpu: { threads: availableParallelism(), module: null, mode: 'thread', resourceLimits: null },
      engine: 'memory:',
      backend: null,
      role: 'all',
      maxPending: Infinity,
      whenFull: 'wait',
      resultTtl: 3_600_000,
      maxResults: 100_000,
      maxPayloadBytes: 1_048_576,
      shutdownTimeout: 30_000,
      tasks: new Map(),
      globalEnhancers: false,
      context: null,
      deadLetter: null,
      remoteTasks: new Map(),
      clock: systemClock,
    });
  });

  it('takes everything that can be said', () => {
    const clock = new ManualClock();
    const context = { capture: () => null, run: (_captured: unknown, next: () => unknown) => next() };
    const options = {
      globalEnhancers: true,
      context,
      numWorkers: 10,
      cpuWorkers: 2,
      cpu: {
        module: 'file:///srv/app/cpu.module.js',
        mode: 'inline',
        resourceLimits: { maxOldGenerationSizeMb: 64 },
      },
      queues: {
        reports: { concurrency: 3 },
        'Mail-2_x.y': { fleetRateLimit: { max: 100, per: '1m' } },
        default: { rateLimit: { max: 5, per: 1_000 } },
        cpu: { fleetConcurrency: 9 },
      },
      engine: 'sqlite:./data/tasks.db',
      role: 'producer',
      maxPending: 5,
      whenFull: 'reject',
      resultTtl: '2h',
      maxResults: 7,
      maxPayloadBytes: 1_000,
      shutdownTimeout: 0,
      tasks: { 'EmailTasks.sendWelcome': { maxRetries: 9, queue: 'reports' } },
      deadLetter: 'Ops.letter',
      remoteTasks: { 'EmailTasks.sendWelcome': { queue: 'reports' }, 'Images.shrink': {} },
      clock,
    };
    expect(resolve(options)).toEqual({
      queues: [
        queueOf('default', { concurrency: 10, rateLimit: { max: 5, per: 1_000 } }),
        queueOf('cpu', { concurrency: 2, fleetConcurrency: 9 }),
        queueOf('reports', { concurrency: 3 }),
        queueOf('Mail-2_x.y', { fleetRateLimit: { max: 100, per: 60_000 } }),
      ],
      cpu: {
        threads: 2,
        module: 'file:///srv/app/cpu.module.js',
        mode: 'inline',
        resourceLimits: { maxOldGenerationSizeMb: 64 },
      },
      engine: 'sqlite:./data/tasks.db',
      backend: null,
      role: 'producer',
      maxPending: 5,
      whenFull: 'reject',
      resultTtl: 7_200_000,
      maxResults: 7,
      maxPayloadBytes: 1_000,
      shutdownTimeout: 0,
      globalEnhancers: true,
      context,
      tasks: new Map([['EmailTasks.sendWelcome', { maxRetries: 9, queue: 'reports' }]]),
      deadLetter: 'Ops.letter',
      remoteTasks: new Map([
        ['EmailTasks.sendWelcome', { queue: 'reports' }],
        ['Images.shrink', { queue: 'default' }],
      ]),
      clock,
    });
  });

  it('keeps no object of the user: what is changed afterwards changes nothing', () => {
    const options = {
      queues: { reports: { concurrency: 3 } },
      cpu: { resourceLimits: { stackSizeMb: 4 } },
      remoteTasks: { far: { queue: 'reports' } },
    };
    const untouched = structuredClone(options);
    const resolved = resolve(options);
    expect(options).toEqual(untouched);
    options.queues.reports.concurrency = 99;
    options.cpu.resourceLimits.stackSizeMb = 99;
    options.remoteTasks.far.queue = 'other';
    expect(resolved.queues).toContainEqual(queueOf('reports', { concurrency: 3 }));
    expect(resolved.cpu.resourceLimits).toEqual({ stackSizeMb: 4 });
    expect(resolved.remoteTasks.get('far')).toEqual({ queue: 'reports' });
  });

  it('takes options that are undefined for options not given', () => {
    const keys = Object.keys(resolve({})).filter((key) => key !== 'queues' && key !== 'cpu');
    const options = Object.fromEntries(
      [...keys, 'queues', 'cpu', 'numWorkers', 'cpuWorkers'].map((key) => [key, undefined]),
    );
    expect(resolve(options)).toEqual(resolve({}));
  });

  it('takes frozen options', () => {
    expect(resolve(Object.freeze({ queues: Object.freeze({ a: Object.freeze({}) }) })).queues).toHaveLength(
      3,
    );
  });
});

describe('the default queue', () => {
  const defaultQueue = (options: FlowrraModuleOptions) => resolve(options).queues[0];

  it.each<[FlowrraModuleOptions, number]>([
    [{ numWorkers: 7 }, 7],
    [{ queues: { default: { concurrency: 7 } } }, 7],
    [{ queues: { default: {} } }, 4],
    [{ numWorkers: 7, queues: { default: {} } }, 7],
    [{ queues: { other: {}, default: { concurrency: 7 } } }, 7],
  ])('of %j runs %d at once, and comes first', (options, concurrency) => {
    expect(defaultQueue(options)).toEqual(queueOf('default', { concurrency }));
  });
});

describe('cpu.module', () => {
  const module = (value: string | URL) => resolve({ cpu: { module: value } }).cpu.module;

  it('may be a URL, a file: string or an absolute path', () => {
    expect(module(new URL('./cpu.module.js', 'file:///srv/app/main.js'))).toBe(
      'file:///srv/app/cpu.module.js',
    );
    expect(module('file:///srv/app/cpu.module.js')).toBe('file:///srv/app/cpu.module.js');
    expect(module('/srv/my app/cpu#1.js')).toBe('file:///srv/my%20app/cpu%231.js');
  });
});

describe('engine and backend', () => {
  it('may be an engine', () => {
    const engine = memoryEngine();
    expect(resolve({ engine }).engine).toBe(engine);
  });

  it('may be the instance of a backend, or its class', () => {
    const backend = new InMemoryBackend();
    expect(resolve({ backend }).backend).toBe(backend);
    expect(resolve({ backend: InMemoryBackend }).backend).toBe(InMemoryBackend);
  });

  it('may be a backend that extends nothing: another copy of this package may have made it', () => {
    const backend = { store: () => {}, get: () => null, waitFor: () => new Promise(() => {}) };
    class Plain {
      store(): void {}
      get(): null {
        return null;
      }
      waitFor(): Promise<never> {
        return new Promise(() => {});
      }
    }
    expect(resolve({ backend }).backend).toBe(backend);
    expect(resolve({ backend: Plain }).backend).toBe(Plain);
  });

  it('may be a class whose methods are properties', () => {
    class Arrows extends ResultBackend {
      store = (): void => {};
      get = (): null => null;
      waitFor = (): Promise<TaskResult> => new Promise(() => {});
    }
    expect(resolve({ backend: Arrows }).backend).toBe(Arrows);
  });
});

describe('what is refused', () => {
  const ENGINE_NEED =
    "It must be a URL such as 'memory:', 'sqlite:./tasks.db', 'redis://localhost:6379' or 'postgres://user@localhost/app', or an engine: an object with connect, consume, drain, enqueue, enqueueMany, pendingCount, close.";
  const BACKEND_NEED =
    'It must be a ResultBackend, or a class that extends it: one with store, get, waitFor.';
  const QUEUE_NEED = 'A queue is named by 1 to 100 letters (a to z), digits, _ . and -.';
  const FILE_NEED =
    "It must be a file: URL or an absolute path, such as new URL('./cpu.module.js', import.meta.url).";
  const AT_LEAST_1 = 'It must be a whole number of at least 1.';
  const DURATION_NEED =
    "Give milliseconds as a number, or an amount with its unit such as '250ms', '2s', '5m', '1h' or '7d'.";

  it.each<[unknown, string]>([
    [{ numWorkers: 0 }, `numWorkers: 0 is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: '4' }, `numWorkers: '4' is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: 2.5 }, `numWorkers: 2.5 is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: NaN }, `numWorkers: NaN is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: Infinity }, `numWorkers: Infinity is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: null }, `numWorkers: null is not valid. ${AT_LEAST_1}`],
    [{ numWorkers: 0, queues: { default: { concurrency: 1 } } }, `numWorkers: 0 is not valid. ${AT_LEAST_1}`],
    [{ cpuWorkers: 0 }, 'cpuWorkers: 0 is not valid. It must be a whole number from 1 to 1000.'],
    [{ cpuWorkers: 1_001 }, 'cpuWorkers: 1001 is not valid. It must be a whole number from 1 to 1000.'],
    [{ maxPending: 0 }, 'maxPending: 0 is not valid. It must be a whole number of at least 1, or Infinity.'],
    [
      { maxPending: 1.5 },
      'maxPending: 1.5 is not valid. It must be a whole number of at least 1, or Infinity.',
    ],
    [{ maxResults: -1 }, `maxResults: -1 is not valid. ${AT_LEAST_1}`],
    [{ maxPayloadBytes: '1mb' }, `maxPayloadBytes: '1mb' is not valid. ${AT_LEAST_1}`],
    [{ resultTtl: 'an hour' }, `resultTtl: 'an hour' is no duration. ${DURATION_NEED}`],
    [{ shutdownTimeout: -5 }, `shutdownTimeout: -5 is no duration. ${DURATION_NEED}`],
    [
      { role: 'produser' },
      "role: 'produser' is not valid. Did you mean 'producer'? Known: all, producer, worker.",
    ],
    [{ role: 3 }, 'role: 3 is not valid. Known: all, producer, worker.'],
    [{ whenFull: 'drop' }, "whenFull: 'drop' is not valid. Known: wait, reject."],
    [{ whenFull: 'rejekt' }, "whenFull: 'rejekt' is not valid. Did you mean 'reject'? Known: wait, reject."],
    [{ engine: '' }, `engine: '' is not valid. ${ENGINE_NEED}`],
    [{ engine: null }, `engine: null is not valid. ${ENGINE_NEED}`],
    [{ engine: { connect() {} } }, `engine: an object is not valid. ${ENGINE_NEED}`],
    [{ engine: new URL('memory:') }, `engine: an object is not valid. ${ENGINE_NEED}`],
    [{ backend: null }, `backend: null is not valid. ${BACKEND_NEED}`],
    [{ backend: 'redis' }, `backend: 'redis' is not valid. ${BACKEND_NEED}`],
    [{ backend: new Map() }, `backend: an object is not valid. ${BACKEND_NEED}`],
    [{ backend: Map }, `backend: the function Map is not valid. ${BACKEND_NEED}`],
    [{ backend: () => null }, `backend: the function backend is not valid. ${BACKEND_NEED}`],
    [{ clock: null }, 'clock: null is not valid. It must be an object with now and after.'],
    [{ clock: { now: Date.now } }, 'clock: an object is not valid. It must be an object with now and after.'],
    [
      { role: 'producer' },
      "role: 'producer' is not valid. The engine 'memory:' lives in this process alone, so nobody would run what a producer submits. Use an engine that other processes share, or role: 'all'.",
    ],
    [
      { role: 'producer', engine: 'MEMORY:' },
      "role: 'producer' is not valid. The engine 'MEMORY:' lives in this process alone, so nobody would run what a producer submits. Use an engine that other processes share, or role: 'all'.",
    ],
    [
      { queues: ['reports'] },
      'queues: an array is not valid. It must be an object of queues by name: { reports: { concurrency: 2 } }.',
    ],
    [
      { queues: null },
      'queues: null is not valid. It must be an object of queues by name: { reports: { concurrency: 2 } }.',
    ],
    [
      { queues: { reports: 2 } },
      'queues.reports: 2 is not valid. It must be an object with some of: concurrency, fleetConcurrency, rateLimit, fleetRateLimit.',
    ],
    [
      { queues: { reports: null } },
      'queues.reports: null is not valid. It must be an object with some of: concurrency, fleetConcurrency, rateLimit, fleetRateLimit.',
    ],
    [
      { queues: { reports: { concurrency: 0 } } },
      `queues.reports.concurrency: 0 is not valid. ${AT_LEAST_1}`,
    ],
    [
      { queues: { reports: { concurency: 2 } } },
      "queues.reports: unknown option 'concurency' (given 2). Did you mean 'concurrency'? Known: concurrency, fleetConcurrency, rateLimit, fleetRateLimit.",
    ],
    [{ queues: { 'a:b': {} } }, `queues.a:b: 'a:b' is not valid. ${QUEUE_NEED}`],
    [{ queues: { '': {} } }, `queues.: '' is not valid. ${QUEUE_NEED}`],
    [{ queues: { 'a b': {} } }, `queues.a b: 'a b' is not valid. ${QUEUE_NEED}`],
    [{ queues: { 'a\n': {} } }, `queues.a\n: 'a\n' is not valid. ${QUEUE_NEED}`],
    [
      { queues: { cpu: { concurrency: 2 } } },
      `queues.cpu.concurrency: 2 is not valid. cpuWorkers (${availableParallelism()}) says the same of that queue. Keep that one.`,
    ],
    [
      { numWorkers: 3, queues: { default: { concurrency: 2 } } },
      'queues.default.concurrency: 2 is not valid. numWorkers (3) says the same of that queue. Keep that one.',
    ],
    [
      { cpu: true },
      'cpu: true is not valid. It must be an object with some of: module, mode, resourceLimits.',
    ],
    [
      { cpu: { modul: 'x' } },
      "cpu: unknown option 'modul' (given 'x'). Did you mean 'module'? Known: module, mode, resourceLimits.",
    ],
    [
      { cpu: { mode: 'threads' } },
      "cpu.mode: 'threads' is not valid. Did you mean 'thread'? Known: thread, inline.",
    ],
    [{ cpu: { module: './cpu.module.js' } }, `cpu.module: './cpu.module.js' is not valid. ${FILE_NEED}`],
    [{ cpu: { module: 'file:./cpu.js' } }, `cpu.module: 'file:./cpu.js' is not valid. ${FILE_NEED}`],
    [{ cpu: { module: 'file://[/cpu.js' } }, `cpu.module: 'file://[/cpu.js' is not valid. ${FILE_NEED}`],
    [
      { cpu: { module: new URL('http://localhost/cpu.js') } },
      `cpu.module: an object is not valid. ${FILE_NEED}`,
    ],
    [{ cpu: { module: null } }, `cpu.module: null is not valid. ${FILE_NEED}`],
    [
      { cpu: { module: class CpuModule {} } },
      `cpu.module: the function CpuModule is not valid. ${FILE_NEED}`,
    ],
    [
      { cpu: { resourceLimits: { maxOldGenerationSize: 64 } } },
      "cpu.resourceLimits: unknown option 'maxOldGenerationSize' (given 64). Did you mean 'maxOldGenerationSizeMb'? Known: maxYoungGenerationSizeMb, maxOldGenerationSizeMb, codeRangeSizeMb, stackSizeMb.",
    ],
    [
      { cpu: { resourceLimits: { stackSizeMb: '4' } } },
      "cpu.resourceLimits.stackSizeMb: '4' is not valid. It must be a number of megabytes above 0.",
    ],
    [
      { cpu: { resourceLimits: { stackSizeMb: 0 } } },
      'cpu.resourceLimits.stackSizeMb: 0 is not valid. It must be a number of megabytes above 0.',
    ],
    [
      { remoteTasks: { far: { queue: 'mail' } } },
      "remoteTasks['far'].queue: 'mail' is not valid. Declare it in forRoot({ queues }). Known: default, cpu.",
    ],
    [
      { remoteTasks: ['a'] },
      "remoteTasks: an array is not valid. It must be an object of tasks by name: { 'EmailTasks.sendWelcome': { queue: 'mail' } }.",
    ],
    [
      { remoteTasks: { far: 'mail' } },
      "remoteTasks['far']: 'mail' is not valid. It must be an object with some of: queue.",
    ],
    [
      { remoteTasks: { far: { queu: 'mail' } } },
      "remoteTasks['far']: unknown option 'queu' (given 'mail'). Did you mean 'queue'? Known: queue.",
    ],
    [
      { remoteTasks: { far: { queue: 'a:b' } } },
      `remoteTasks['far'].queue: 'a:b' is not valid. ${QUEUE_NEED}`,
    ],
    [{ remoteTasks: { far: { queue: 5 } } }, `remoteTasks['far'].queue: 5 is not valid. ${QUEUE_NEED}`],
    [
      { remoteTasks: { '': {} } },
      "remoteTasks['']: '' is not valid. A task is named by 1 to 200 characters, none a control character.",
    ],
  ])('%j', (options, message) => {
    expect(configError(() => resolve(options))).toBe(message);
  });

  it.each([undefined, null, 5, 'memory:', []])('%p instead of options', (options) => {
    expect(configError(() => resolve(options))).toMatch(
      /^FlowrraModule options: .* It must be an object with some of: numWorkers,/,
    );
  });

  it('an option that there is not, with what was meant', () => {
    const message = configError(() => resolve({ numWorker: 4 }));
    expect(message).toMatch(
      "FlowrraModule options: unknown option 'numWorker' (given 4). Did you mean 'numWorkers'?",
    );
    expect(configError(() => resolve({ concurrency: 4 }))).toMatch(
      "unknown option 'concurrency' (given 4). Known: numWorkers, cpuWorkers, cpu, queues, engine, backend, role, maxPending, whenFull, resultTtl, maxResults, maxPayloadBytes, shutdownTimeout, tasks, globalEnhancers, context, deadLetter, remoteTasks, clock.",
    );
  });

  it('the abstract class ResultBackend itself', () => {
    expect(configError(() => resolve({ backend: ResultBackend }))).toMatch(
      'backend: the function ResultBackend is not valid.',
    );
  });
});
