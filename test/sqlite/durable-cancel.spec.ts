import type { Attempt } from '../../lib/job/job.js';
import { cancelEntry, MAX_POSTS } from '../../lib/job/journal/journal.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { claim, newJob, openStore, type OpenStore, query, submit, submitMany } from './stores.js';

const LEASE = 10_000;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };
const STEP = { key: 'first', body: '1' };
const SUSPENDED = { kind: 'suspended', delay: null, seen: 0 } as const;
const RETRY = { kind: 'retry', delay: 60_000, error: ERROR } as const;
/** Outcomes after which a job waits. */
const WAITING = [
  SUSPENDED,
  { ...SUSPENDED, delay: 60_000 },
  RETRY,
  { kind: 'snoozed', delay: 60_000 },
] as const;

/** Two processes that share a file. */
async function two(pollInterval = 60_000) {
  const file = tempFile();
  const options = { file, lease: LEASE, pollInterval };
  return { file, worker: await openStore(options), other: await openStore(options) };
}

/** A job that runs and has a step to undo. */
async function running(worker: OpenStore) {
  const id = await submit(worker);
  const [attempt] = (await claim(worker)) as [Attempt];
  await worker.store.journals.append(attempt, [STEP]);
  return { id, attempt };
}

const statusOf = ({ store }: OpenStore, id: string): string | undefined => store.results.get(id)?.status;
const entriesOf = ({ store }: OpenStore, id: string) => store.journals.read(id).entries;
const WITH_CANCELLATION = [STEP, cancelEntry('not needed')];

it.each(WAITING)(
  'a job that waits after the outcome $kind, $delay is due with the cancellation',
  async (outcome) => {
    const { worker, other } = await two(1);
    const { id, attempt } = await running(worker);
    await worker.store.settle(attempt, outcome, worker.clock.now());
    const changes = worker.changes;
    expect(await other.store.control.cancel(id, 'not needed')).toEqual({ kind: 'signalled' });
    await until(() => worker.changes > changes, { describe: 'the worker hears of the wake-up' });
    expect(await worker.store.control.cancel(id, 'again')).toEqual({ kind: 'signalled' });
    expect(worker.store.journals.read(id)).toEqual({ entries: WITH_CANCELLATION, posts: 1 });
    const [second] = (await claim(worker)) as [Attempt];
    expect(second).toMatchObject({ taskId: id, isResumed: true });
    expect(worker.store.begins(second)).toBe(true);
    expect(worker.cancelled).toEqual([]);
    const cancelled = { kind: 'cancelled', reason: 'not needed' } as const;
    expect(await worker.store.settle(second, cancelled, worker.clock.now())).toBe(true);
    expect(worker.store.results.get(id)).toMatchObject({ status: 'cancelled', error: 'not needed' });
    expect(await other.store.control.cancel(id, 'late')).toEqual({ kind: 'finished' });
  },
);

it('a second cancellation does not end the waits of the attempt that undoes', async () => {
  const { worker } = await two();
  const { id, attempt } = await running(worker);
  await worker.store.settle(attempt, SUSPENDED, worker.clock.now());
  await worker.store.control.cancel(id, 'not needed');
  const [second] = (await claim(worker)) as [Attempt];
  await worker.store.settle(second, { ...SUSPENDED, delay: 5_000, seen: 1 }, worker.clock.now());
  await worker.store.control.cancel(id, 'again');
  expect(await claim(worker)).toEqual([]);
  await worker.clock.advance(5_000);
  expect(await claim(worker)).toMatchObject([{ taskId: id }]);
});

it('a full journal takes a cancellation', async () => {
  const { worker, file } = await two();
  const { id, attempt } = await running(worker);
  const database = (await loadDriver(DRIVER)).open(file);
  database.exec(`UPDATE jobs SET posts = ${MAX_POSTS}`);
  database.close();
  await worker.store.settle(attempt, { ...SUSPENDED, seen: MAX_POSTS }, worker.clock.now());
  await worker.store.control.cancel(id, 'not needed');
  expect(entriesOf(worker, id)).toEqual(WITH_CANCELLATION);
  expect(await claim(worker)).toMatchObject([{ taskId: id }]);
});

it.each([undefined, { key: 'message', body: '1' }])(
  'a suspended job to which no attempt has appended ends at once: posted %j',
  async (posted) => {
    const { worker } = await two();
    const id = await submit(worker);
    const [attempt] = (await claim(worker)) as [Attempt];
    await worker.store.settle(attempt, { ...SUSPENDED, seen: 1 }, worker.clock.now());
    if (posted !== undefined) await worker.store.journals.post(id, posted);
    expect(await worker.store.control.cancel(id, 'no')).toMatchObject({ kind: 'cancelled' });
    expect(worker.store.control.counts()).toMatchObject([{ cancelled: 1, suspended: 0, pending: 0 }]);
    await worker.clock.advance(5_000);
    expect(await claim(worker)).toEqual([]);
  },
);

it('bulk cancellation counts jobs with and without steps, and only the latter end', async () => {
  const { worker } = await two();
  const { id, attempt } = await running(worker);
  await worker.store.settle(attempt, SUSPENDED, worker.clock.now());
  const plain = await submit(worker, { delay: 1_000 });
  const conditions = { ...query(), status: ['pending', 'retrying', 'suspended', 'running'] as const };
  const operation = { kind: 'cancel', reason: 'not needed' } as const;
  const { changes } = worker;
  const steps = [];
  for await (const one of worker.store.control.bulk(operation, conditions, false)) steps.push(one);
  expect(steps).toMatchObject([{ count: 2, changed: [{ taskId: plain }] }]);
  expect(worker.changes).toBeGreaterThan(changes);
  expect(entriesOf(worker, id)).toEqual(WITH_CANCELLATION);
  expect(await claim(worker)).toMatchObject([{ taskId: id }]);
});

it.each(WAITING)(
  'a cancelled job whose worker does not know of it yet is due with the cancellation: $kind, $delay',
  async (outcome) => {
    const { worker, other } = await two();
    const { id, attempt } = await running(worker);
    expect(await other.store.control.cancel(id, 'not needed')).toEqual({ kind: 'signalled' });
    expect(await worker.store.settle(attempt, outcome, worker.clock.now())).toBe(true);
    expect(worker.ended).toEqual([]);
    expect(worker.store.journals.read(id)).toEqual({ entries: WITH_CANCELLATION, posts: 1 });
    const retries = outcome.kind === 'retry' ? 1 : 0;
    expect(await claim(worker)).toMatchObject([{ taskId: id, retries, isResumed: true }]);
    expect(worker.store.control.counts()).toMatchObject([
      { running: 1, suspended: 0, pending: 0, retrying: 0 },
    ]);
  },
);

it('a cancelled job whose worker dies runs again, with the cancellation', async () => {
  const { worker, other } = await two();
  const { id } = await running(worker);
  await other.store.control.cancel(id, 'not needed');
  await other.clock.advance(2 * LEASE);
  expect(other.ended).toEqual([]);
  const [second] = (await claim(other)) as [Attempt];
  expect(second).toMatchObject({ taskId: id, isResumed: true });
  expect(other.store.begins(second)).toBe(true);
  expect(entriesOf(other, id)).toEqual(WITH_CANCELLATION);
});

it('an attempt whose job was cancelled after the claim begins as a cancelled one', async () => {
  const { worker, other } = await two();
  const { id, attempt } = await running(worker);
  await worker.store.settle(attempt, { ...SUSPENDED, delay: 0 }, worker.clock.now());
  const [second] = (await claim(worker)) as [Attempt];
  expect(await other.store.control.cancel(id, 'not needed')).toEqual({ kind: 'signalled' });
  expect(worker.store.begins(second)).toBe(true);
  expect(worker.cancelled).toMatchObject([{ attempt: second, reason: 'not needed' }]);
  await worker.store.settle(second, { kind: 'cancelled', reason: 'not needed' }, worker.clock.now());
  expect(statusOf(other, id)).toBe('cancelled');
});

describe('a prefetched job with steps', () => {
  async function prefetched(pollInterval: number) {
    const { worker, other } = await two(pollInterval);
    await submitMany(
      worker,
      Array.from({ length: 7 }, () => newJob()),
    );
    for (const attempt of await claim(worker, 7)) {
      await worker.store.journals.append(attempt, [STEP]);
      await worker.store.settle(attempt, { ...SUSPENDED, delay: 0 }, worker.clock.now());
    }
    const begun: string[] = [];
    for (let n = 0; n < 4; n++) begun.push(...(await claim(worker)).map(({ taskId }) => taskId));
    const ids = other.store.control
      .find(query({ status: ['running'] }))
      .rows.map(({ taskId }) => taskId)
      .filter((id) => !begun.includes(id));
    expect(ids.length).toBeGreaterThan(0);
    return { worker, other, id: ids[0] as string };
  }

  it.each(['this', 'another'])('starts with the cancellation of %s process', async (process) => {
    const { worker, other, id } = await prefetched(1);
    const canceller = process === 'this' ? worker : other;
    expect(await canceller.store.control.cancel(id, 'not needed')).toEqual({ kind: 'signalled' });
    await until(() => entriesOf(worker, id).length === 2, { describe: 'the job is released' });
    const rest: Attempt[] = [];
    for (let some = await claim(worker); some.length > 0; some = await claim(worker)) rest.push(...some);
    expect(rest.map(({ taskId }) => taskId)).toContain(id);
    expect(worker.ended).toEqual([]);
    expect(entriesOf(worker, id)).toEqual(WITH_CANCELLATION);
  });

  it('waits with the cancellation if it is released before its worker knows', async () => {
    const { worker, other, id } = await prefetched(60_000);
    await other.store.control.cancel(id, 'not needed');
    await worker.clock.advance(20);
    expect(entriesOf(other, id)).toEqual(WITH_CANCELLATION);
    expect((await claim(other, 3)).map(({ taskId }) => taskId)).toContain(id);
  });
});

it('when cancellations race with a worker, the attempts of every job are told of it or find it in the journal', async () => {
  const { worker, other } = await two(1);
  const ids = await submitMany(
    worker,
    Array.from({ length: 100 }, () => newJob()),
  );
  for (const attempt of await claim(worker, 100)) {
    await worker.store.journals.append(attempt, [STEP]);
    await worker.store.settle(attempt, { ...SUSPENDED, delay: 0 }, worker.clock.now());
  }
  const isTold = (attempt: Attempt): boolean =>
    worker.cancelled.some((event) => event.attempt === attempt) ||
    entriesOf(worker, attempt.taskId).length === 2;
  let left = ids.length;
  const work = async (): Promise<void> => {
    while (left > 0) {
      for (const attempt of await claim(worker, 4)) {
        await new Promise((resolve) => setImmediate(resolve));
        expect(worker.store.begins(attempt)).toBe(true);
        const told = isTold(attempt);
        if (told) left--;
        const outcome = told ? ({ kind: 'cancelled', reason: 'race' } as const) : { ...SUSPENDED, delay: 1 };
        await worker.store.settle(attempt, outcome, worker.clock.now());
      }
      await worker.clock.advance(1);
    }
  };
  const cancel = async (id: string, { store }: OpenStore): Promise<void> =>
    expect(await store.control.cancel(id, 'race')).toEqual({ kind: 'signalled' });
  await Promise.all([work(), ...ids.map((id, n) => cancel(id, n % 2 === 0 ? worker : other))]);
  expect(worker.ended).toEqual([]);
  expect(other.store.control.counts()).toMatchObject([
    { cancelled: 100, running: 0, pending: 0, suspended: 0 },
  ]);
});
