import type { Attempt } from '../../lib/job/job.js';
import { settle } from '../support/manual-clock.js';
import { tempFile } from '../support/sqlite.js';
import { claim, newJob, openStore, submit, submitMany } from './stores.js';

/** A worker that has just started some jobs in no time, so that it prefetches. */
async function quickWorker(jobs: number) {
  const file = tempFile();
  const worker = await openStore({ file });
  const other = await openStore({ file });
  const ids = await submitMany(
    worker,
    Array.from({ length: jobs + 3 }, () => newJob({ priority: 5 })),
  );
  for (let n = 0; n < 3; n++) await claim(worker);
  return { worker, other, ids: ids.slice(3) };
}

it('prefetched jobs are shown as waiting in this process', async () => {
  const { worker, other, ids } = await quickWorker(20);
  const [next] = await claim(worker);
  expect(next?.taskId).toBe(ids[0]);
  expect(other.store.results.get(ids[1] as string)?.status).toBe('running');
  expect(worker.store.results.get(ids[1] as string)).toMatchObject({ status: 'pending', startedAt: null });
  expect(worker.store.results.get(ids[0] as string)?.status).toBe('running');
  expect(worker.store.pendingCount()).toBe(19);
  expect(worker.store.nextDue('q')).toBe(0);
});

it('prefetched jobs start in order, each with its own start time', async () => {
  const { worker, ids } = await quickWorker(20);
  const starts: number[] = [];
  for (const id of ids) {
    const [attempt] = (await claim(worker)) as [Attempt];
    expect(attempt.taskId).toBe(id);
    starts.push(attempt.startedAt);
    await worker.clock.advance(1);
  }
  expect(starts).toEqual(ids.map((_, n) => (starts[0] as number) + n));
  expect(worker.store.pendingCount()).toBe(0);
});

it('jobs that have not started within 10 ms are released to their former places', async () => {
  const { worker, other, ids } = await quickWorker(10);
  await claim(worker);
  expect(other.store.results.get(ids[1] as string)?.status).toBe('running');
  await worker.clock.advance(10);
  for (const id of ids.slice(1))
    expect(other.store.results.get(id)).toMatchObject({ status: 'pending', startedAt: null });
  expect(other.store.pendingCount()).toBe(9);
  const rest: string[] = [];
  while (rest.length < 9) rest.push(...(await claim(other)).map(({ taskId }) => taskId));
  expect(rest).toEqual(ids.slice(1));
});

it('a release is followed by `changed`, since claims before it found no jobs', async () => {
  const worker = await openStore({ file: tempFile(), pollInterval: '1h' });
  const ids = await submitMany(
    worker,
    Array.from({ length: 7 }, () => newJob()),
  );
  for (let n = 0; n < 4; n++) await claim(worker);
  worker.clock.sleep(11);
  expect(await claim(worker)).toEqual([]);
  expect(worker.store.nextDue('q')).toBeNull();
  expect(worker.changes).toBe(0);
  await settle();
  expect(worker.changes).toBe(1);
  expect((await claim(worker))[0]?.taskId).toBe(ids[4]);
});

it('a more urgent new job starts before prefetched jobs', async () => {
  const { worker, ids } = await quickWorker(10);
  await claim(worker);
  const urgent = await submit(worker, { priority: 1 });
  const order: string[] = [];
  while (order.length < 10) order.push(...(await claim(worker)).map(({ taskId }) => taskId));
  expect(order).toEqual([urgent, ...ids.slice(1)]);
});

it('no jobs are prefetched if jobs take longer', async () => {
  const file = tempFile();
  const worker = await openStore({ file });
  const other = await openStore({ file });
  const ids = await submitMany(
    worker,
    Array.from({ length: 10 }, () => newJob()),
  );
  for (let n = 0; n < 5; n++) {
    await claim(worker);
    await worker.clock.advance(50);
  }
  expect(other.store.results.get(ids[5] as string)?.status).toBe('pending');
});

it('a closing store releases all prefetched jobs', async () => {
  const { worker, other, ids } = await quickWorker(10);
  await claim(worker);
  await worker.store.close();
  await settle();
  expect(other.store.pendingCount()).toBe(9);
  expect(other.store.results.get(ids[1] as string)?.status).toBe('pending');
});

it('all jobs run after the process was suspended with prefetched jobs', async () => {
  const { worker, ids } = await quickWorker(20);
  const claimed = new Set((await claim(worker)).map(({ taskId }) => taskId));
  worker.clock.sleep(30_000);
  const late = await submit(worker, { priority: 5 });
  for (let round = 0; round < 3; round++) {
    for (let some = await claim(worker); some.length > 0; some = await claim(worker)) {
      for (const attempt of some) {
        claimed.add(attempt.taskId);
        await worker.store.settle(attempt, { kind: 'success', result: null }, worker.clock.now());
      }
    }
    await worker.clock.advance(60_000);
  }
  expect([...claimed].sort()).toEqual([...ids, late].sort());
});
