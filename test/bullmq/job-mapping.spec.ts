import fc from 'fast-check';
import { IdGenerator, queueOf } from '../../lib/engine/bullmq/id-generator.js';
import {
  argsOf,
  cancelText,
  type BullJob,
  dataOf,
  errorsOf,
  failureText,
  keepRuleOf,
  logLineOf,
  logRowOf,
  metadataOf,
  optionsOf,
  overridesOf,
  progressOf,
  progressText,
  storableText,
  withErrors,
} from '../../lib/engine/bullmq/job-mapping.js';
import { stateOf } from '../../lib/engine/bullmq/read/job-row.js';
import { errorsAfter, MAX_ERRORS } from '../../lib/job/outcome.js';
import { newJob } from '../support/jobs.js';
import type { AttemptError, NewJob } from '../../lib/job/job.js';

const NOW = 1_700_000_000_000;
const RETENTION = { resultTtl: 90_500, maxResults: 12 };

const job = (values: Partial<NewJob> = {}): NewJob => newJob({ queue: 'default', ...values });

const stored = (values: Partial<BullJob> = {}): BullJob => ({
  id: 'id',
  name: 'task',
  data: { args: [] },
  attemptsMade: 0,
  timestamp: NOW,
  returnvalue: null,
  ...values,
});

const failure = (attempt: number, message = 'no'): AttemptError => ({
  attempt,
  name: 'Error',
  message,
  code: null,
  stack: null,
  at: NOW,
});

/** Data as it returns from a server. */
const throughServer = (data: unknown): unknown => JSON.parse(JSON.stringify(data));

const queueName = fc.stringMatching(/^[\w.-]{1,100}$/);
describe('ids', () => {
  it('name their queue, whatever its name, and are unique', () => {
    const ids = new IdGenerator();
    const seen = new Set<string>();
    fc.assert(
      fc.property(queueName, fc.nat({ max: 4_102_444_800_000 }), (queue, now) => {
        const id = ids.next(queue, now);
        expect(queueOf(id)).toBe(queue);
        expect(seen.has(id)).toBe(false);
        expect(id).not.toMatch(/:|^-?\d+$/);
        seen.add(id);
      }),
    );
  });

  it('sort by submission, also within a millisecond', () => {
    const ids = new IdGenerator();
    const generated = Array.from({ length: 5_000 }, (_, n) => ids.next('q', NOW + Math.trunc(n / 1_000)));
    expect(generated.toSorted()).toEqual(generated);
  });

  it('that a submitter has chosen name no queue', () => {
    fc.assert(fc.property(fc.string({ maxLength: 30 }), (id) => expect(queueOf(id)).toBeNull()));
  });
});

describe('arguments and overrides', () => {
  it('come back from JSON as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 4 }), (args) => {
        expect(argsOf(throughServer(dataOf(job({ args }))))).toEqual(args);
      }),
    );
  });

  it.each([
    [[new Date(0), new Map([[1, new Set([2n])]]), new Uint8Array([1, 2]), undefined, NaN, -0, Infinity]],
    [[{ args: [1], $: 'x' }]],
    [['\0 and \ud800', { '\0': '\udfff' }]],
  ])('keep what JSON and PostgreSQL cannot: %j', (args) => {
    const data = throughServer(dataOf(job({ args })));
    expect(JSON.stringify(data)).not.toMatch(/\\u0000|\\ud[89a-f]/);
    expect(argsOf(data)).toEqual(args);
  });

  it('are fresh for each attempt', () => {
    const data = dataOf(job({ args: [{ list: [1] }] }));
    (argsOf(data)[0] as { list: number[] }).list.push(2);
    expect(argsOf(data)).toEqual([{ list: [1] }]);
  });

  it('of a job without overrides name none, and Infinity survives', () => {
    expect(dataOf(job())).toEqual({ args: [] });
    const data = throughServer(dataOf(job({ overrides: { maxRetries: Infinity } })));
    expect(overridesOf(data)).toEqual({ maxRetries: Infinity });
  });

  it('of a job that another program has added are its data, whatever that is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const data = throughServer(value);
        const ours =
          typeof data === 'object' && data !== null && Array.isArray((data as { args?: unknown }).args);
        if (!ours) expect(argsOf(data)).toEqual([data]);
        expect(errorsOf(data)).toEqual(ours ? expect.any(Array) : []);
      }),
    );
  });
});

describe('options', () => {
  it('say priority and delay as BullMQ does, and how long results are kept', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_097_151 }), fc.nat(), (priority, delay) => {
        const options = optionsOf(job({ priority, delay }), 'id', NOW, keepRuleOf(RETENTION));
        expect(options).toEqual({
          jobId: 'id',
          ...(priority > 0 && { priority }),
          ...(delay > 0 && { delay }),
          timestamp: NOW,
          removeOnComplete: { age: 91, count: 12 },
          removeOnFail: { age: 91, count: 12 },
        });
      }),
    );
  });

  it('has no age without an end that a server could not read', () => {
    expect(keepRuleOf({ resultTtl: Infinity, maxResults: 1 }).age).toBe(1_000_000_000);
  });
});

describe('the state of a job', () => {
  it.each([
    ['waiting', 0, 'pending'],
    ['prioritized', 0, 'pending'],
    ['delayed', 0, 'pending'],
    ['delayed', 1, 'retrying'],
    ['waiting', 2, 'retrying'],
    ['active', 0, 'running'],
    ['active', 2, 'running'],
    ['completed', 1, 'success'],
    ['failed', 3, 'failed'],
  ])('that is %s after %d attempts is %s', (list, attemptsMade, status) => {
    expect(stateOf(stored({ attemptsMade }), list)).toMatchObject({ status });
  });

  it('counts retries, of which the last attempt is none', () => {
    expect(stateOf(stored({ attemptsMade: 2 }), 'delayed').retries).toBe(2);
    expect(stateOf(stored({ attemptsMade: 3 }), 'failed').retries).toBe(2);
    expect(stateOf(stored({ attemptsMade: 1 }), 'completed').retries).toBe(0);
    expect(stateOf(stored({ attemptsMade: 0 }), 'failed').retries).toBe(0);
  });

  it('that was cancelled has failed for BullMQ, and says why', () => {
    const cancelled = stored({ failedReason: cancelText('no longer wanted') });
    const said = { status: 'cancelled', reason: 'no longer wanted', errors: [] };
    expect(stateOf(cancelled, 'failed')).toMatchObject(said);
    expect(stateOf(stored({ failedReason: cancelText('') }), 'failed')).toMatchObject({ reason: '' });
    // The failure text of a waiting job does not count.
    expect(stateOf(cancelled, 'waiting')).toMatchObject({ status: 'pending', reason: null });
  });

  it('was not cancelled because its error says so', () => {
    const message = 'Cancelled: by the bank';
    const data = withErrors({ args: [] }, [failure(1, message)]);
    const failed = stored({ data, attemptsMade: 1, failedReason: failureText(message) });
    expect(stateOf(failed, 'failed')).toMatchObject({ status: 'failed', errors: [{ message }] });
  });

  it('whose workers died too often has a TaskLostError, after its earlier errors', () => {
    const data = withErrors({ args: [] }, [failure(1)]);
    const lost = stored({ data, attemptsMade: 2, failedReason: 'job stalled more than allowable limit' });
    expect(stateOf(lost, 'failed').errors).toEqual([
      failure(1),
      expect.objectContaining({ attempt: 2, name: 'TaskLostError', code: 'FLOWRRA_TASK_LOST' }),
    ]);
  });

  it('that another program has failed has the error of that program', () => {
    expect(stateOf(stored({ data: 7, failedReason: 'by hand' }), 'failed').errors).toEqual([
      expect.objectContaining({ attempt: 1, name: 'Error', message: 'by hand' }),
    ]);
  });
});

describe('the errors of a job', () => {
  it('are kept beside its arguments, the newest ones, and can be stored anywhere', () => {
    let data: unknown = { args: [1], overrides: { maxRetries: 99 } };
    for (let n = 1; n <= MAX_ERRORS + 5; n++)
      data = withErrors(data, errorsAfter(errorsOf(data), failure(n, `\0 ${n}`)));
    const kept = errorsOf(data);
    expect(kept).toHaveLength(MAX_ERRORS);
    expect(kept.at(-1)).toMatchObject({ attempt: MAX_ERRORS + 5, message: `\ufffd ${MAX_ERRORS + 5}` });
    expect(argsOf(data)).toEqual([1]);
    expect(overridesOf(data)).toEqual({ maxRetries: 99 });
  });

  it("of another program's job are kept without losing its data", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const data = throughServer(value);
        expect(argsOf(withErrors(data, [failure(1)]))).toEqual(argsOf(data));
      }),
    );
  });

  it('hold no text that PostgreSQL refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(storableText(text)).not.toMatch(/[\0\p{Surrogate}]/u);
      }),
    );
  });
});

describe('what a job says of itself', () => {
  it('comes back as it was, however it looks', () => {
    const values = [
      0,
      1,
      '',
      'x',
      false,
      [0],
      { progress: 1 },
      { progress: { progress: 0 } },
      new Map([[1, 2n]]),
    ];
    for (const value of values) expect(progressOf(JSON.parse(progressText(value)))).toEqual(value);
    expect(progressOf(0)).toBeNull();
    expect(progressOf(undefined)).toBeNull();
    expect(progressText(50)).toBe('50');
  });

  it('stands in the log with its time and attempt', () => {
    const line = { at: NOW, attempt: 12, line: 'one\ntwo #3 ' };
    expect(logRowOf(line)).toBe('2023-11-14T22:13:20.000Z #12 one\ntwo #3 ');
    expect(logLineOf(logRowOf(line), 0)).toEqual(line);
    expect(logLineOf('written by hand', 5)).toEqual({ at: 5, attempt: 1, line: 'written by hand' });
    expect(logRowOf({ ...line, line: 'a\0b' })).toMatch(/a\ufffdb$/);
  });
});

describe('what a submission may carry', () => {
  it('metadata travels beside the arguments', () => {
    const metadata = { by: 'ada', since: new Date(NOW), nul: '\0' };
    const data = throughServer(dataOf(job({ args: [1], metadata })));
    expect([argsOf(data), metadataOf(data)]).toEqual([[1], metadata]);
    expect(metadataOf(throughServer(dataOf(job())))).toBeUndefined();
    expect(metadataOf({ args: [], metadata: { $: 'nonsense' } })).toEqual({ $: 'nonsense' });
  });

  it.each([
    ['ignore', 0, { id: 'k' }],
    ['throttle', 5_000, { id: 'k', ttl: 5_000 }],
    ['debounce', 5_000, { id: 'k' }],
  ] as const)('%s is passed to BullMQ', (mode, ttl, deduplication) => {
    const options = optionsOf(job({ dedupe: { key: 'k', mode, ttl } }), 'id', NOW, { age: 1, count: 1 });
    expect(options.deduplication).toEqual(deduplication);
  });
});
