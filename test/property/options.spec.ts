import fc from 'fast-check';
import { FlowrraConfigError } from '../../lib/job/errors.js';
import { suggest } from '../../lib/job/check.js';
import type { FlowrraModuleOptions } from '../../lib/nest/options/module-options.js';
import { resolveModuleOptions } from '../../lib/nest/options/module-options.js';
import { resolveSubmitOptions } from '../../lib/job/submit-options.js';
import { resolveTaskOptions } from '../../lib/job/task-options.js';
import type { SubmitOptions } from '../../lib/job/submit-options.js';
import type { TaskOptions } from '../../lib/job/task-options.js';

const MODULE_KEYS = [
  'numWorkers',
  'cpuWorkers',
  'cpu',
  'queues',
  'engine',
  'backend',
  'role',
  'maxPending',
  'resultTtl',
  'remoteTasks',
  'clock',
];
const TASK_KEYS = [
  'name',
  'queue',
  'cpuBound',
  'file',
  'export',
  'maxRetries',
  'retryDelay',
  'backoff',
  'jitter',
  'timeout',
];
const SUBMIT_KEYS = [
  'priority',
  'delay',
  'runAt',
  'taskId',
  'maxRetries',
  'retryDelay',
  'backoff',
  'timeout',
];

/** Objects that have some of the known keys, and now and then another, with any values at all. */
function mangled(keys: string[]): fc.Arbitrary<unknown> {
  const key = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...keys) },
    { weight: 1, arbitrary: fc.string() },
  );
  return fc.oneof(
    {
      weight: 9,
      arbitrary: fc.dictionary(
        key,
        fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true }),
        { maxKeys: 2 },
      ),
    },
    { weight: 1, arbitrary: fc.anything() },
  );
}

/** Whatever is given, it either resolves or is refused with a configuration error, never with a TypeError. */
function soundly(resolve: () => unknown): void {
  try {
    resolve();
  } catch (error) {
    if (!(error instanceof FlowrraConfigError)) throw error;
    expect(error.message).toMatch(/(is not valid|is no duration|unknown option '.*')/s);
  }
}

describe('options of any shape', () => {
  it('of the module are resolved, or refused as a configuration error', () => {
    fc.assert(
      fc.property(mangled(MODULE_KEYS), (options) =>
        soundly(() => resolveModuleOptions(options as FlowrraModuleOptions)),
      ),
      { numRuns: 1_000 },
    );
  });

  it('of a task are resolved, or refused as a configuration error', () => {
    fc.assert(
      fc.property(mangled(TASK_KEYS), (options) =>
        soundly(() =>
          resolveTaskOptions(options as TaskOptions, 'Mail.send', {
            knownQueues: new Set(['default', 'cpu']),
            deadLetter: null,
            overrides: new Map(),
          }),
        ),
      ),
      { numRuns: 1_000 },
    );
  });

  it('of a submission are resolved, or refused as a configuration error', () => {
    fc.assert(
      fc.property(mangled(SUBMIT_KEYS), (options) =>
        soundly(() => resolveSubmitOptions(options as SubmitOptions, 0)),
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('a task id', () => {
  /** The names of a queue's own keys in BullMQ that random text may hit. They are not valid either. */
  const QUEUE_KEYS = /^(?:de|id|pc|meta|wait)$/;

  it('that is accepted has no colon, no control character, and is no whole number', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.stringMatching(/^-?[\d:a]{0,4}$/),
      fc.string({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(id, (taskId) => {
        fc.pre(!QUEUE_KEYS.test(taskId));
        const right =
          taskId.length >= 1 &&
          taskId.length <= 255 &&
          !taskId.includes(':') &&
          taskId !== 'NaN' &&
          !/^-?[0-9]+$/.test(taskId) &&
          Array.from(taskId).every((character) => {
            const code = character.codePointAt(0) as number;
            return code > 0x1f && !(code >= 0x7f && code <= 0x9f) && !(code >= 0xd800 && code <= 0xdfff);
          });
        let accepted = true;
        try {
          resolveSubmitOptions({ taskId }, 0);
        } catch {
          accepted = false;
        }
        expect(accepted).toBe(right);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a suggestion', () => {
  // No two of these are near each other, so that one mistake leaves no doubt which was meant.
  const known = MODULE_KEYS.filter((key) => key.length >= 5);

  it('is found for any known word with one letter missing, added or changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...known),
        fc.nat(),
        fc.constantFrom('missing', 'added', 'changed'),
        (word, place, mistake) => {
          const at = place % word.length;
          const rest = word.slice(mistake === 'added' ? at : at + 1);
          const typed = word.slice(0, at) + (mistake === 'missing' ? '' : '#') + rest;
          expect(suggest(typed, known)).toMatch(`Did you mean '${word}'?`);
        },
      ),
    );
  });
});
