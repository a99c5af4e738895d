import type { Attempt } from '../../lib/job/job.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { claim, newJob, openStore, type OpenStore, submit, submitMany } from './stores.js';

const LEASE = 10_000;
const SUCCESS = { kind: 'success', result: 1 } as const;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };
/** Outcomes after which a job would run again. */
const AGAIN = [
  { kind: 'retry', delay: 0, error: ERROR },
  { kind: 'snoozed', delay: 5 },
  { kind: 'released', delay: 0 },
] as const;

/** Two processes that share a file; `looks` is how often each looks for what the other has done. */
async function two(looks = 60_000) {
  const file = tempFile();
  const options = { file, lease: LEASE, pollInterval: looks };
  return { worker: await openStore(options), other: await openStore(options) };
}

const statusOf = ({ store }: OpenStore, id: string): string | undefined => store.results.get(id)?.status;

it('a job that waits, is delayed or is to be retried ends at once, and is never handed out', async () => {
  const { worker } = await two();
  const [waiting, retried] = [await submit(worker), await submit(worker)];
  await claim(worker);
  const [second] = (await claim(worker)) as [Attempt];
  await worker.store.settle(second, { kind: 'retry', delay: 1_000, error: ERROR }, worker.clock.now());
  const delayed = await submit(worker, { delay: 1_000 });
  const inLine = await submit(worker, { priority: 9 });
  for (const id of [retried, delayed, inLine]) {
    const answer = await worker.store.control.cancel(id, 'not needed');
    expect(answer).toMatchObject({
      kind: 'cancelled',
      job: { taskId: id, status: 'cancelled', dueAt: null },
    });
    expect(worker.store.results.get(id)).toMatchObject({ status: 'cancelled', error: 'not needed' });
    expect(await worker.store.control.cancel(id, 'again')).toEqual({ kind: 'finished' });
  }
  expect(worker.store.pendingCount()).toBe(0);
  await worker.clock.advance(5_000);
  expect(await claim(worker)).toEqual([]);
  expect(statusOf(worker, waiting)).toBe('running');
  expect(await worker.store.control.cancel('nobody', '')).toEqual({ kind: 'unknown' });
});

it('who waits for a cancelled job is told, in this process and in every other', async () => {
  const { worker, other } = await two(1);
  const id = await submit(worker, { delay: 1_000 });
  const waits = [worker, other].map(({ store }) => store.results.waitFor(id));
  await other.store.control.cancel(id, 'no');
  for (const wait of waits) expect(await wait).toMatchObject({ status: 'cancelled', error: 'no' });
});

it('an attempt of this process is told at once, and only once', async () => {
  const { worker } = await two();
  const id = await submit(worker);
  const [attempt] = (await claim(worker)) as [Attempt];
  expect(await worker.store.control.cancel(id, 'first')).toEqual({ kind: 'signalled' });
  expect(await worker.store.control.cancel(id, 'second')).toEqual({ kind: 'signalled' });
  expect(worker.cancelled).toEqual([{ attempt, reason: 'first' }]);
  expect(statusOf(worker, id)).toBe('running');
  await worker.store.settle(attempt, { kind: 'cancelled', reason: 'first' }, worker.clock.now());
  expect(statusOf(worker, id)).toBe('cancelled');
});

it('an attempt that is being handed out at that very moment is told as well', async () => {
  const { worker } = await two();
  const id = await submit(worker);
  const handedOut: Attempt[] = [];
  const toldOf: boolean[] = [];
  const claiming = claim(worker).then((attempts) => handedOut.push(...attempts));
  const cancelling = worker.store.control
    .cancel(id, 'no')
    .then(() => toldOf.push(...worker.cancelled.map(({ attempt }) => handedOut.includes(attempt))));
  await Promise.all([claiming, cancelling]);
  expect(toldOf).toEqual([true]);
});

it('an attempt of another process is told within its next look', async () => {
  const { worker, other } = await two(1);
  const id = await submit(worker);
  const [attempt] = (await claim(worker)) as [Attempt];
  expect(await other.store.control.cancel(id, 'elsewhere')).toEqual({ kind: 'signalled' });
  await until(() => worker.cancelled.length > 0, { describe: 'the worker hears of the cancellation' });
  await other.store.insert(newJob(), 0);
  await settle();
  expect(worker.cancelled).toEqual([{ attempt, reason: 'elsewhere' }]);
});

it.each(AGAIN)('a job whose worker has not heard of it does not run again: $kind', async (outcome) => {
  const { worker, other } = await two();
  const id = await submit(worker);
  const [attempt] = (await claim(worker)) as [Attempt];
  const wait = worker.store.results.waitFor(id);
  await other.store.control.cancel(id, 'elsewhere');
  expect(worker.cancelled).toEqual([]);
  expect(await worker.store.settle(attempt, outcome, worker.clock.now())).toBe(false);
  expect(worker.ended).toEqual([id]);
  expect(await wait).toMatchObject({
    status: 'cancelled',
    error: 'elsewhere',
    errors: outcome.kind === 'retry' ? [{ message: 'boom' }] : [],
  });
  await worker.clock.advance(1_000);
  expect(await claim(worker)).toEqual([]);
});

it.each([SUCCESS, { kind: 'failed', error: ERROR }] as const)(
  'an end that comes first stands: $kind',
  async (outcome) => {
    const { worker, other } = await two();
    const id = await submit(worker);
    const [attempt] = (await claim(worker)) as [Attempt];
    await other.store.control.cancel(id, 'late');
    await worker.store.settle(attempt, outcome, worker.clock.now());
    expect(statusOf(other, id)).toBe(outcome.kind);
    expect(await other.store.control.cancel(id, 'later')).toEqual({ kind: 'finished' });
    // Nothing of the request is left, should the job be put back into line.
    await other.store.control.retry(id);
    for (const again of outcome.kind === 'failed' ? await claim(other) : []) {
      await other.store.settle(again, { kind: 'retry', delay: 0, error: ERROR }, other.clock.now());
      expect(statusOf(other, id)).toBe('retrying');
    }
  },
);

it('a job whose worker has died with it ends, and does not run again', async () => {
  const { worker, other } = await two();
  const id = await submit(worker);
  await claim(worker);
  const wait = other.store.results.waitFor(id);
  await other.store.control.cancel(id, 'gone');
  await other.clock.advance(2 * LEASE);
  expect(await wait).toMatchObject({ status: 'cancelled', error: 'gone' });
  expect([worker.ended, other.ended]).toEqual([[], [id]]);
  expect(await claim(other)).toEqual([]);
});

describe('of jobs that were taken ahead', () => {
  async function ahead(looks: number) {
    const { worker, other } = await two(looks);
    const ids = await submitMany(
      worker,
      Array.from({ length: 7 }, () => newJob()),
    );
    for (let n = 0; n < 4; n++) await claim(worker);
    expect(statusOf(other, ids[6] as string)).toBe('running');
    return { worker, other, ids: ids.slice(4) };
  }

  it('one that is cancelled here ends as if it had only waited', async () => {
    const { worker, ids } = await ahead(60_000);
    const [first] = ids as [string];
    expect(await worker.store.control.cancel(first, 'no')).toMatchObject({
      kind: 'cancelled',
      job: { status: 'cancelled', startedAt: null },
    });
    const rest: string[] = [];
    for (let some = await claim(worker); some.length > 0; some = await claim(worker))
      rest.push(...some.map(({ taskId }) => taskId));
    expect(rest).toEqual(ids.slice(1));
    expect(worker.ended).toEqual([]);
    expect(worker.cancelled).toEqual([]);
    expect(worker.store.pendingCount()).toBe(0);
  });

  it('one that is cancelled in another process ends without having been started', async () => {
    const { worker, other, ids } = await ahead(1);
    const last = ids.at(-1) as string;
    const wait = worker.store.results.waitFor(last);
    await other.store.control.cancel(last, 'no');
    expect(await wait).toMatchObject({ status: 'cancelled', startedAt: null });
    expect(worker.ended).toEqual([last]);
    expect(worker.cancelled).toEqual([]);
    expect(worker.store.pendingCount()).toBe(2);
  });

  it('one that goes back before its worker has heard of it ends, too', async () => {
    const { worker, other, ids } = await ahead(60_000);
    const last = ids.at(-1) as string;
    await other.store.control.cancel(last, 'no');
    await worker.clock.advance(10);
    expect(other.store.results.get(last)).toMatchObject({ status: 'cancelled', startedAt: null });
    expect(other.store.pendingCount()).toBe(2);
  });
});

describe('an attempt that has been claimed and has not begun', () => {
  const LATER = 60_000;

  it.each([1, 4])('does not begin once another process has cancelled its job: claim %i', async (limit) => {
    const { worker, other } = await two(LATER);
    const ids = await submitMany(
      worker,
      Array.from({ length: 10 }, () => newJob()),
    );
    // The first ones are used up at once, so that the last claims are served by what was taken ahead.
    let claimed: Attempt[] = [];
    for (let n = 0; n < 4 && !claimed.some(({ taskId }) => taskId === ids[6]); n++)
      claimed = await claim(worker, limit);
    const [attempt] = claimed as [Attempt];
    const wait = worker.store.results.waitFor(attempt.taskId);
    expect(await other.store.control.cancel(attempt.taskId, 'no')).toEqual({ kind: 'signalled' });
    expect(worker.store.begins(attempt)).toBe(false);
    expect(await wait).toMatchObject({ status: 'cancelled', error: 'no', startedAt: null });
    expect(worker.ended).toEqual([attempt.taskId]);
    for (const beside of claimed.slice(1)) expect(worker.store.begins(beside)).toBe(true);
  });

  it('leaves its place in the queue to the next one', async () => {
    const file = tempFile();
    const { app, flowrra } = await startApp({
      engine: sqliteEngine({ file, pollInterval: '1h' }),
      clock: new ManualClock(),
      numWorkers: 1,
    });
    const other = await openStore({ file });
    const ran: number[] = [];
    const gate = new Gate();
    const held = new Gate();
    flowrra.register({ name: 'note' }, (n: number) => {
      ran.push(n);
      if (n !== 4) return undefined;
      held.open();
      return gate.passed;
    });
    const ids = await flowrra.submitMany(
      'note',
      Array.from({ length: 9 }, (_, n) => [n]),
    );
    await held.passed;
    // The next two were taken ahead, since those before took no time.
    const cancelled = ids[5] as string;
    expect(await other.store.control.cancel(cancelled, 'no')).toEqual({ kind: 'signalled' });
    gate.open();
    const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(ran).toEqual([0, 1, 2, 3, 4, 6, 7, 8]);
    const without = results.filter(({ status }) => status === 'cancelled');
    expect(without).toMatchObject([{ taskId: cancelled, startedAt: null }]);
    await app.close();
  });

  it('never begins after its cancellation has been said to be true', async () => {
    const { worker, other } = await two(LATER);
    const ids = await submitMany(
      worker,
      Array.from({ length: 300 }, () => newJob()),
    );
    const said = new Set<string>();
    const begun = new Set<string>();
    const late: string[] = [];
    const work = async (): Promise<void> => {
      for (let some = await claim(worker, 4); some.length > 0; some = await claim(worker, 4)) {
        for (const attempt of some) {
          await new Promise((resolve) => setImmediate(resolve));
          if (!worker.store.begins(attempt)) continue;
          begun.add(attempt.taskId);
          if (said.has(attempt.taskId)) late.push(attempt.taskId);
          void worker.store.settle(attempt, SUCCESS, worker.clock.now());
        }
      }
    };
    const cancel = async (id: string, { store }: OpenStore): Promise<void> => {
      if ((await store.control.cancel(id, 'race')).kind !== 'finished') said.add(id);
    };
    await Promise.all([work(), ...ids.map((id, n) => cancel(id, n % 3 === 0 ? worker : other))]);
    await settle();
    expect(late).toEqual([]);
    for (const id of ids) expect(statusOf(other, id)).toBe(begun.has(id) ? 'success' : 'cancelled');
  });
});

it('of many cancellations and a worker that race, every job ends once: run or cancelled', async () => {
  const { worker, other } = await two(1);
  const ids = await submitMany(
    worker,
    Array.from({ length: 300 }, () => newJob()),
  );
  const started = new Set<string>();
  const work = async (): Promise<void> => {
    for (let some = await claim(worker, 4); some.length > 0; some = await claim(worker, 4)) {
      for (const attempt of some) {
        expect(started.has(attempt.taskId)).toBe(false);
        started.add(attempt.taskId);
        await worker.store.settle(attempt, { kind: 'snoozed', delay: 1 }, worker.clock.now());
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const cancel = async (id: string, { store }: OpenStore): Promise<void> =>
    expect((await store.control.cancel(id, 'race')).kind).toMatch(/cancelled|signalled/);
  await Promise.all([work(), ...ids.map((id, n) => cancel(id, n % 2 === 0 ? worker : other))]);
  await worker.clock.advance(100);
  await settle();
  expect(await claim(worker, 4)).toEqual([]);
  expect(new Set(ids.map((id) => statusOf(other, id)))).toEqual(new Set(['cancelled']));
  expect(other.store.control.counts()).toMatchObject([{ cancelled: 300, running: 0, pending: 0 }]);
});
