import { availableParallelism } from 'node:os';
import type { FlowrraModuleOptions } from '../../lib/nest/options/module-options.js';
import { memoryEngine } from '../../lib/engine/memory/memory-store.js';
import { resolveModuleOptions } from '../../lib/nest/options/module-options.js';
import { ResultBackend } from '../../lib/results/result-backend.js';
import { configError } from '../support/config-error.js';

/** Options as a JavaScript user may write them. */
const resolve = (options: unknown) => resolveModuleOptions(options as FlowrraModuleOptions);

describe('invalid options', () => {
  const ENGINE_UNSET =
    "Is the environment variable set? Give a URL such as 'memory:', 'sqlite:./tasks.db', 'redis://localhost:6379' or 'postgres://user@localhost/app', or leave the option out for 'memory:'.";
  const ENGINE_NEED =
    "It must be a URL such as 'memory:', 'sqlite:./tasks.db', 'redis://localhost:6379' or 'postgres://user@localhost/app', or an object that implements Engine.";
  const BACKEND_NEED =
    'It must be a ResultBackend, or a class that extends it: one with store, get, waitFor.';
  const QUEUE_NEED = 'A queue is named by 1 to 100 letters (a to z), digits, _ . and -.';
  const FILE_NEED =
    "It must be a file: URL or an absolute path, such as new URL('./cpu.module.js', import.meta.url), or join(__dirname, 'cpu.module.js') in CommonJS.";
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
    [{ engine: '' }, `engine: '' is not valid. ${ENGINE_UNSET}`],
    [{ engine: undefined }, `engine: undefined is not valid. ${ENGINE_UNSET}`],
    [{ engine: null }, `engine: null is not valid. ${ENGINE_NEED}`],
    [{ engine: { run() {} } }, `engine: an object is not valid. ${ENGINE_NEED}`],
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
      "role: 'producer' is not valid. The engine 'memory:' exists only in this process, so no worker can run the jobs of a producer. Use an engine that other processes share, or role: 'all'.",
    ],
    [
      { role: 'producer', engine: 'MEMORY:' },
      "role: 'producer' is not valid. The engine 'MEMORY:' exists only in this process, so no worker can run the jobs of a producer. Use an engine that other processes share, or role: 'all'.",
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
    [{ queues: { 'a\n': {} } }, `queues.a\\u{a}: 'a\\u{a}' is not valid. ${QUEUE_NEED}`],
    [
      { queues: { cpu: { concurrency: 2 } } },
      `queues.cpu.concurrency: 2 is not valid. cpuWorkers (${availableParallelism()}) already sets the concurrency of this queue. Use only cpuWorkers.`,
    ],
    [
      { numWorkers: 3, queues: { default: { concurrency: 2 } } },
      'queues.default.concurrency: 2 is not valid. numWorkers (3) already sets the concurrency of this queue. Use only numWorkers.',
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
      "remoteTasks['far'].queue: 'mail' is not valid. Declare it in forRoot({ queues }) or forFeature({ queues }). Known: default, cpu.",
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
    expect(configError(() => resolve({ nothing: 4 }))).toMatch(
      "unknown option 'nothing' (given 4). Known: numWorkers, cpuWorkers, cpu, queues, engine, backend, role, maxPending, whenFull, resultTtl, maxResults, maxPayloadBytes, shutdownTimeout, tasks, schedules, globalEnhancers, context, deadLetter, remoteTasks, outbox, clock.",
    );
  });

  it.each(['name', 'durable', 'supports', 'connect'])('an engine that lacks %s, which it names', (member) => {
    const whole = memoryEngine();
    const engine: unknown = Object.create(whole, { [member]: { value: undefined } });
    const message = configError(() => resolve({ engine }));
    if (member === 'connect') expect(message).toContain(ENGINE_NEED);
    else expect(message).toMatch(new RegExp(`^engine: ${member}, .* is missing\\.`));
    expect(resolve({ engine: whole }).engine).toBe(whole);
  });

  it('the abstract class ResultBackend itself', () => {
    expect(configError(() => resolve({ backend: ResultBackend }))).toMatch(
      'backend: the function ResultBackend is not valid.',
    );
  });
});
