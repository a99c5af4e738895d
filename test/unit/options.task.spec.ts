import { resolveTaskOptions } from '../../lib/job/task-options.js';
import type { RegisterOptions, TaskOptions } from '../../lib/job/task-options.js';
import { configError } from '../support/config-error.js';

const QUEUES = new Set(['default', 'cpu', 'reports']);

/** Options as a JavaScript user may write them. */
function resolve(options: unknown, fallbackName = 'Mail.send') {
  return resolveTaskOptions(options as TaskOptions | RegisterOptions, fallbackName, {
    knownQueues: QUEUES,
    deadLetter: null,
    overrides: new Map(),
  });
}

describe('resolveTaskOptions', () => {
  it('fills in every default', () => {
    expect(resolve({})).toEqual({
      name: 'Mail.send',
      queue: 'default',
      cpuBound: false,
      policy: {
        maxRetries: 3,
        retryDelay: 1_000,
        backoff: 'fixed',
        maxRetryDelay: 3_600_000,
        jitter: false,
        timeout: Infinity,
        killGrace: 5_000,
        expires: Infinity,
        deadLetter: null,
      },
    });
  });

  it('takes everything that can be said', () => {
    const options: TaskOptions = {
      name: 'mail/send – now',
      queue: 'reports',
      maxRetries: Infinity,
      retryDelay: '2s',
      backoff: 'exponential',
      maxRetryDelay: '1m',
      jitter: true,
      timeout: '30s',
      killGrace: 0,
      expires: '1h',
      deadLetter: 'Ops.letter',
      tags: ['billing', 'billing'],
    };
    expect(resolve(options)).toEqual({
      name: 'mail/send – now',
      queue: 'reports',
      cpuBound: false,
      policy: {
        maxRetries: Infinity,
        retryDelay: 2_000,
        backoff: 'exponential',
        maxRetryDelay: 60_000,
        jitter: true,
        timeout: 30_000,
        killGrace: 0,
        expires: 3_600_000,
        deadLetter: 'Ops.letter',
      },
      tags: ['billing'],
    });
  });

  it('keeps a backoff function as it is', () => {
    const backoff = (attempt: number) => attempt * 10;
    expect(resolve({ backoff }).policy.backoff).toBe(backoff);
  });

  it('takes Infinity for no time-out', () => {
    expect(resolve({ timeout: Infinity }).policy.timeout).toBe(Infinity);
  });

  it('puts a CPU-bound task in the queue cpu, or in the one it names', () => {
    expect(resolve({ cpuBound: true })).toMatchObject({ cpuBound: true, queue: 'cpu' });
    expect(resolve({ cpuBound: true, queue: 'reports' })).toMatchObject({ cpuBound: true, queue: 'reports' });
  });

  it.each(['file:///srv/app/work.js', '/srv/app/work.js', new URL('file:///srv/app/work.js')])(
    'takes the file %s, and an export, of a CPU-bound task',
    (file) => {
      expect(resolve({ cpuBound: true, file, export: 'work' }).queue).toBe('cpu');
    },
  );

  it('takes names of 1 to 200 characters', () => {
    expect(resolve({ name: 'é' }).name).toBe('é');
    expect(resolve({ name: 'x'.repeat(200) }).name).toHaveLength(200);
  });

  it('does not change the options', () => {
    const options = Object.freeze({ retryDelay: '2s', queue: 'reports' });
    resolve(options);
    expect(options).toEqual({ retryDelay: '2s', queue: 'reports' });
  });
});

describe('invalid options', () => {
  const NAME_NEED = 'A task is named by 1 to 200 characters, none a control character.';
  const RETRIES_NEED = 'It must be a whole number of at least 0, or Infinity.';
  const FILE_NEED =
    'It must be a file: URL or an absolute path, such as import.meta.url, or __filename in CommonJS.';

  it.each<[unknown, string]>([
    [{ maxRetries: -1 }, `maxRetries: -1 is not valid. ${RETRIES_NEED}`],
    [{ maxRetries: 1.5 }, `maxRetries: 1.5 is not valid. ${RETRIES_NEED}`],
    [{ maxRetries: '3' }, `maxRetries: '3' is not valid. ${RETRIES_NEED}`],
    [
      { retryDelay: 'soon' },
      "retryDelay: 'soon' is no duration. Give milliseconds as a number, or an amount with its unit such as '250ms', '2s', '5m', '1h' or '7d'.",
    ],
    [
      { backoff: 'exponentail' },
      "backoff: 'exponentail' is not valid. Did you mean 'exponential'? Known: fixed, exponential. Or a function of attempt and error.",
    ],
    [
      { backoff: 2 },
      'backoff: 2 is not valid. Known: fixed, exponential. Or a function of attempt and error.',
    ],
    [
      { backoff: Object.create(null) },
      'backoff: an object is not valid. Known: fixed, exponential. Or a function of attempt and error.',
    ],
    [
      { backoff: 'exponential', retryDelay: '2h' },
      "retryDelay: '2h' is not valid. It must be at most maxRetryDelay (3600000 ms), the limit of 'exponential'. Raise maxRetryDelay as well.",
    ],
    [{ jitter: 'full' }, "jitter: 'full' is not valid. It must be true or false."],
    [{ cpuBound: 1 }, 'cpuBound: 1 is not valid. It must be true or false.'],
    [
      { timeout: 0 },
      'timeout: 0 is not valid. It must be at least 1 ms. For no limit, leave it out or give Infinity.',
    ],
    [
      { timeout: '0.4ms' },
      "timeout: '0.4ms' is not valid. It must be at least 1 ms. For no limit, leave it out or give Infinity.",
    ],
    [
      { queue: 'report' },
      "queue: 'report' is not valid. Declare it in forRoot({ queues }) or forFeature({ queues }). Did you mean 'reports'? Known: default, cpu, reports.",
    ],
    [
      { queue: 'mail' },
      "queue: 'mail' is not valid. Declare it in forRoot({ queues }) or forFeature({ queues }). Known: default, cpu, reports.",
    ],
    [
      { queue: 7 },
      'queue: 7 is not valid. Declare it in forRoot({ queues }) or forFeature({ queues }). Known: default, cpu, reports.',
    ],
    [
      { queue: 'cpu' },
      "queue: 'cpu' is not valid. That queue is for CPU-bound tasks: add cpuBound: true, or name another queue.",
    ],
    [
      { file: '/srv/work.js' },
      "file: '/srv/work.js' is not valid. It is for threads only: add cpuBound: true, or leave it out.",
    ],
    [
      { export: 'work', cpuBound: false },
      "export: 'work' is not valid. It is for threads only: add cpuBound: true, or leave it out.",
    ],
    [{ cpuBound: true, file: './work.js' }, `file: './work.js' is not valid. ${FILE_NEED}`],
    [
      { cpuBound: true, export: '' },
      "export: '' is not valid. It must be the name of one of the file's exports.",
    ],
    [
      { cpuBound: true, export: () => 1 },
      "export: the function export is not valid. It must be the name of one of the file's exports.",
    ],
    [{ name: 5 }, `name: 5 is not valid. ${NAME_NEED}`],
  ])('%j', (options, message) => {
    expect(configError(() => resolve(options))).toBe(`Task 'Mail.send', ${message}`);
  });

  it.each(['', 'x'.repeat(201), 'a\nb', 'a\u0000', 'a\u007f', 'a\ud800'])('the name %j', (name) => {
    expect(configError(() => resolve({ name }))).toMatch(NAME_NEED);
  });

  it('a fallback name that is none: an anonymous function was registered without a name', () => {
    expect(configError(() => resolve({}, ''))).toBe(`Task '', name: '' is not valid. ${NAME_NEED}`);
  });

  it('an option that there is not, under the name that the user gave', () => {
    expect(configError(() => resolve({ name: 'send', maxRetrys: 5 }))).toMatch(
      "Task 'send': unknown option 'maxRetrys' (given 5). Did you mean 'maxRetries'? Known: name, cpuBound, ",
    );
  });

  it.each([undefined, null, 5, 'Mail.send'])('%p instead of options', (options) => {
    expect(configError(() => resolve(options))).toMatch(
      /^Task 'Mail\.send': .* It must be an object with some of: name,/,
    );
  });
});
