import assert from 'node:assert/strict';
import { codeOf } from '../job/attempt-error.js';
import { type TaskResult, taskResultOf } from '../job/task-result.js';
import { type TaskStatus, isFinal } from '../job/job.js';
import type { MaybePromise } from '../job/async.js';
import type { ResultBackend } from '../results/result-backend.js';

/** One requirement of every result backend: give `name` and `run` to your test runner. */
export interface ConformanceCase {
  /** The requirement, as the name of a test. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the backend does not meet the requirement. */
  run(): Promise<void>;
}

/** The wait in milliseconds of cases that check that nothing happens. */
const MOMENT_MS = 5;

/** Less than the 5 s of Jest and Vitest, whose message would not name the requirement. */
const TIMEOUT_MS = 4_000;

/**
 * The requirements of a result backend, as cases for any test runner:
 *
 * ```ts
 * for (const { name, run } of resultBackendConformance(() => new MyBackend(url))) it(name, run);
 * ```
 *
 * @param create Creates a backend. It may share its storage with earlier ones, since each case uses new ids. It is
 * closed at the end of its case, if it has a `close` method.
 */
export function resultBackendConformance(create: () => MaybePromise<ResultBackend>): ConformanceCase[] {
  return CASES.map(([name, run]) => ({
    name,
    async run() {
      const backend = await create();
      try {
        await inTime(run(backend, `conformance-${crypto.randomUUID()}`), name);
      } finally {
        await backend.close?.();
      }
    },
  }));
}

type Case = readonly [name: string, run: (backend: ResultBackend, id: string) => Promise<void>];

const RICH = {
  text: 'nul \u0000 and a lone surrogate \ud800',
  numbers: [0, -0, 1.5, NaN, Infinity],
  big: 2n ** 70n,
  date: new Date(1_700_000_000_000),
  map: new Map([['key', new Set([1, 2])]]),
  bytes: Buffer.from([0, 1, 255]),
  nothing: undefined,
};

const CASES: readonly Case[] = [
  [
    'returns null for an id that was never stored',
    async (backend, id) => assert.equal(await backend.get(id), null),
  ],
  ...(['pending', 'running', 'retrying', 'suspended', 'success', 'failed', 'cancelled'] as const).map(
    (status): Case => [
      `returns a ${status} result as it was stored`,
      async (backend, id) => {
        const stored = result(id, status);
        await backend.store(id, stored);
        assert.deepEqual(plain(await backend.get(id)), plain(stored));
      },
    ],
  ),
  [
    'keeps every kind of value that a task may return',
    async (backend, id) => {
      await backend.store(id, result(id, 'success', RICH));
      assert.deepEqual((await backend.get(id))?.result, RICH);
    },
  ],
  [
    'keeps a result that is undefined, and one that is null',
    async (backend, id) => {
      await backend.store(id, result(id, 'success', undefined));
      assert.equal((await backend.get(id))?.result, undefined);
      await backend.store(`${id}-null`, result(`${id}-null`, 'success', null));
      assert.equal((await backend.get(`${id}-null`))?.result, null);
    },
  ],
  [
    'shares no object with the code that stores or reads a result',
    async (backend, id) => {
      const list = [1];
      await backend.store(id, result(id, 'success', list));
      list.push(2);
      const read = (await backend.get(id))?.result as number[];
      read.push(3);
      assert.deepEqual((await backend.get(id))?.result, [1]);
    },
  ],
  [
    'replaces the stored state, and accepts the same result twice',
    async (backend, id) => {
      for (const status of ['pending', 'running', 'success', 'success'] as const)
        await backend.store(id, result(id, status));
      assert.equal((await backend.get(id))?.status, 'success');
    },
  ],
  [
    'waitFor resolves at once for a finished job',
    async (backend, id) => {
      await backend.store(id, result(id, 'failed'));
      assert.equal((await backend.waitFor(id)).status, 'failed');
    },
  ],
  [
    'waitFor resolves for every waiter when the job finishes, and not before',
    async (backend, id) => {
      await backend.store(id, result(id, 'pending'));
      const waiters = [backend.waitFor(id), backend.waitFor(id, { timeout: 60_000 })];
      await backend.store(id, result(id, 'running'));
      const early = await Promise.race([...waiters, moment()]);
      assert.equal(early, undefined, 'a wait resolved before the job had finished');
      await backend.store(id, result(id, 'success', 42));
      for (const finished of await Promise.all(waiters)) assert.equal(finished.result, 42);
    },
  ],
  [
    'waitFor rejects with TaskTimeoutError after its timeout',
    async (backend, id) => {
      await backend.store(id, result(id, 'running'));
      await assert.rejects(backend.waitFor(id, { timeout: 1 }), hasCode('FLOWRRA_WAIT_TIMEOUT'));
      await backend.store(id, result(id, 'success', 'late'));
      assert.equal((await backend.waitFor(id, { timeout: 60_000 })).result, 'late');
    },
  ],
  [
    'waitFor rejects with the reason of an aborted signal',
    async (backend, id) => {
      await backend.store(id, result(id, 'running'));
      const controller = new AbortController();
      const waiting = backend.waitFor(id, { signal: controller.signal });
      const reason = new Error('the client went away');
      controller.abort(reason);
      await assert.rejects(waiting, is(reason));
      await assert.rejects(backend.waitFor(id, { signal: AbortSignal.abort(reason) }), is(reason));
    },
  ],
  [
    'waitFor rejects at once with ResultNotFoundError for an unknown id',
    async (backend, id) => assert.rejects(backend.waitFor(id), hasCode('FLOWRRA_RESULT_NOT_FOUND')),
  ],
  [
    'delete, if implemented, deletes one result and returns whether there was one',
    async (backend, id) => {
      if (!backend.delete) return;
      await backend.store(id, result(id, 'success'));
      assert.equal(await backend.delete(id), true);
      assert.equal(await backend.get(id), null);
      assert.equal(await backend.delete(id), false);
    },
  ],
  [
    'clear, if implemented, deletes all results',
    async (backend, id) => {
      if (!backend.clear) return;
      await backend.store(id, result(id, 'success'));
      await backend.clear();
      assert.equal(await backend.get(id), null);
    },
  ],
];

function result(taskId: string, status: TaskStatus, ...[value]: unknown[]): TaskResult {
  // The times are current, since a backend may drop old results.
  const now = Date.now();
  const error = {
    attempt: 1,
    name: 'TypeError',
    message: 'broken',
    code: 'E_BROKEN',
    stack: 'TypeError: broken\n    at task',
    at: now - 500,
  };
  return taskResultOf({
    taskId,
    taskName: 'Conformance.task',
    status,
    result: value,
    errors: status === 'retrying' || status === 'failed' ? [error] : [],
    reason: status === 'cancelled' ? 'no longer wanted' : null,
    submittedAt: now - 1_000,
    startedAt: status === 'pending' ? null : now - 900,
    finishedAt: isFinal(status) ? now : null,
    retries: status === 'retrying' ? 1 : 0,
    progress: status === 'running' ? { done: 3, of: 7 } : null,
  });
}

/** The fields without the class. */
function plain(value: TaskResult | null): unknown {
  return value && Object.fromEntries(Object.entries(value));
}

function is(reason: Error): (error: unknown) => boolean {
  return (error) => error === reason;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => codeOf(error) === code;
}

async function inTime(running: Promise<void>, name: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(hanging(name))), TIMEOUT_MS);
  });
  await Promise.race([running, late]).finally(() => clearTimeout(timer));
}

function hanging(name: string): string {
  return `The backend has not answered within ${TIMEOUT_MS} ms. This requirement is not met: ${name}.`;
}

function moment(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, MOMENT_MS, undefined));
}
