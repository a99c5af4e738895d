import { availableParallelism } from 'node:os';
import { systemClock } from '../../lib/job/clock.js';
import type { TaskResult } from '../../lib/job/task-result.js';
import { memoryEngine } from '../../lib/engine/memory/memory-store.js';
import type { FlowrraModuleOptions } from '../../lib/nest/options/module-options.js';
import { resolveModuleOptions } from '../../lib/nest/options/module-options.js';
import { InMemoryBackend } from '../../lib/results/in-memory-backend.js';
import { ResultBackend } from '../../lib/results/result-backend.js';
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
      schedules: new Map(),
      globalEnhancers: false,
      context: null,
      deadLetter: null,
      remoteTasks: new Map(),
      outbox: null,
      clock: systemClock,
    });
  });

  it('takes everything that can be said', () => {
    const clock = new ManualClock();
    const outbox = { connect: () => Promise.reject(new Error('not connected here')) };
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
      schedules: { 'ReportTasks.daily': { cron: '0 6 * * *' }, 'SyncTasks.poll': false },
      deadLetter: 'Ops.letter',
      remoteTasks: { 'EmailTasks.sendWelcome': { queue: 'reports' }, 'Images.shrink': {} },
      outbox,
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
      schedules: new Map<string, unknown>([
        ['ReportTasks.daily', { cron: '0 6 * * *' }],
        ['SyncTasks.poll', false],
      ]),
      deadLetter: 'Ops.letter',
      remoteTasks: new Map([
        ['EmailTasks.sendWelcome', { queue: 'reports' }],
        ['Images.shrink', { queue: 'default' }],
      ]),
      outbox,
      clock,
    });
  });

  it('shares no object with the given options, so later changes have no effect', () => {
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
    // But the engine: an environment variable that is not set must not lose jobs.
    const keys = Object.keys(resolve({})).filter((key) => !['queues', 'cpu', 'engine'].includes(key));
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
