import type { Attempt, JobReport } from '../../lib/job/job.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { claim, openStore, type OpenStore, submit } from './stores.js';

const LEASE = 10_000;
const SUCCESS = { kind: 'success', result: 1 } as const;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };

const lines = (count: number, from = 1): JobReport['lines'] =>
  Array.from({ length: count }, (_, n) => ({ at: from + n, attempt: 1, line: `line ${from + n}` }));

async function fail(worker: OpenStore): Promise<void> {
  const [attempt] = (await claim(worker)) as [Attempt];
  await worker.store.settle(attempt, { kind: 'failed', error: ERROR }, worker.clock.now());
}

/** An attempt of one worker whose lease has ended, so that another worker may claim the job. */
async function lostAttempt() {
  const file = tempFile();
  const worker = await openStore({ file, lease: LEASE });
  const other = await openStore({ file, lease: LEASE });
  const id = await submit(worker);
  const [stale] = (await claim(worker)) as [Attempt];
  await other.clock.advance(2 * LEASE);
  return { worker, other, id, stale };
}

async function rowsIn(file: string, table: string): Promise<number> {
  const database = (await loadDriver(DRIVER)).open(file);
  const row = database.prepare<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`).get();
  database.close();
  return row?.rows ?? -1;
}

describe('retry', () => {
  it('makes a failed job wait behind the others, with all its retries; its errors stay', async () => {
    const worker = await openStore({ file: tempFile() });
    const id = await submit(worker, { args: ['x'.repeat(5_000)] });
    const [first] = (await claim(worker)) as [Attempt];
    await worker.store.settle(first, { kind: 'retry', error: ERROR, delay: 0 }, worker.clock.now());
    await fail(worker);
    const other = await submit(worker);
    const changes = worker.changes;
    expect(await worker.store.control.retry(id)).toMatchObject({
      taskId: id,
      status: 'pending',
      retries: 0,
      finishedAt: null,
      errors: [{ message: 'boom' }, { message: 'boom' }],
    });
    expect(worker.changes).toBe(changes + 1);
    expect(worker.store.control.counts()).toMatchObject([{ pending: 2, failed: 0 }]);
    const wait = worker.store.results.waitFor(id);
    expect((await claim(worker))[0]?.taskId).toBe(other);
    const [again] = (await claim(worker)) as [Attempt];
    expect(again).toMatchObject({ taskId: id, retries: 0, lost: false });
    expect(again.args()).toEqual(['x'.repeat(5_000)]);
    await worker.store.settle(again, SUCCESS, worker.clock.now());
    expect(await wait).toMatchObject({ status: 'success', errors: [{}, {}] });
  });

  it('affects failed jobs only, and of concurrent calls only one succeeds', async () => {
    const file = tempFile();
    const [worker, other] = [await openStore({ file }), await openStore({ file })];
    const [waiting, running] = [await submit(worker, { priority: 9 }), await submit(worker)];
    await claim(worker);
    const failed = await submit(worker, { priority: 1 });
    await fail(worker);
    for (const id of [waiting, running, 'nobody']) expect(await worker.store.control.retry(id)).toBeNull();
    const answers = await Promise.all(
      [worker, other, worker, other].map(({ store }) => store.control.retry(failed)),
    );
    expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
    expect(worker.store.pendingCount()).toBe(2);
  });

  it('outcomes and reports of an attempt before the retry are ignored', async () => {
    const { worker, other, id, stale } = await lostAttempt();
    await fail(other);
    await other.store.control.retry(id);
    await claim(other);
    expect(await worker.store.settle(stale, SUCCESS, worker.clock.now())).toBe(false);
    await worker.store.control.report(stale, { progress: 'stale', lines: lines(1) });
    expect(other.store.control.job(id)).toMatchObject({ status: 'running', progress: null, logs: [] });
  });
});

describe('remove', () => {
  it('deletes a finished job with all its rows, and no unfinished job', async () => {
    const file = tempFile();
    const worker = await openStore({ file });
    const id = await submit(worker, {
      args: ['x'.repeat(5_000)],
      dedupe: { key: 'k', mode: 'ignore', ttl: 0 },
    });
    expect(await worker.store.control.remove(id)).toBe(false);
    const [attempt] = (await claim(worker)) as [Attempt];
    await worker.store.control.report(attempt, { progress: 1, lines: lines(3) });
    expect(await worker.store.control.remove(id)).toBe(false);
    await worker.store.settle(attempt, SUCCESS, worker.clock.now());
    expect(await Promise.all([worker.store.control.remove(id), worker.store.control.remove(id)])).toEqual([
      true,
      false,
    ]);
    for (const table of ['jobs', 'large_args', 'logs', 'dedupe_keys'])
      expect(await rowsIn(file, table)).toBe(0);
    expect(worker.store.control.counts()).toMatchObject([{ success: 0 }]);
    await expect(worker.store.results.waitFor(id)).rejects.toThrow(/dropped/);
  });
});

describe('reports of a running job', () => {
  it('are shown in all processes at once, and stay with the result', async () => {
    const file = tempFile();
    const [worker, other] = [await openStore({ file }), await openStore({ file })];
    const id = await submit(worker);
    const [attempt] = (await claim(worker)) as [Attempt];
    await worker.store.control.report(attempt, { progress: { done: 3 }, lines: lines(2) });
    await worker.store.control.report(attempt, { progress: undefined, lines: lines(1, 3) });
    expect(other.store.control.job(id)).toMatchObject({ progress: { done: 3 }, logs: lines(3) });
    expect(other.store.results.get(id)).toMatchObject({ status: 'running', progress: { done: 3 } });
    await worker.store.control.report(attempt, { progress: null, lines: [] });
    expect(other.store.control.job(id)?.progress).toBeNull();
    await worker.store.control.report(attempt, { progress: 'all', lines: [] });
    const wait = worker.store.results.waitFor(id);
    await worker.store.settle(attempt, SUCCESS, worker.clock.now());
    for (const result of [await wait, other.store.results.get(id)])
      expect(result).toMatchObject({ status: 'success', progress: 'all' });
    await worker.store.control.report(attempt, { progress: 'late', lines: lines(1) });
    expect(other.store.control.job(id)).toMatchObject({ progress: 'all', logs: lines(3) });
  });

  it('keep the last 200 lines, however many come at once', async () => {
    const file = tempFile();
    const worker = await openStore({ file });
    const id = await submit(worker);
    const [attempt] = (await claim(worker)) as [Attempt];
    for (const [count, from] of [
      [150, 1],
      [100, 151],
      [500, 251],
      [1, 751],
    ] as const)
      await worker.store.control.report(attempt, { progress: undefined, lines: lines(count, from) });
    expect(worker.store.control.job(id)?.logs).toEqual(lines(200, 552));
    expect(await rowsIn(file, 'logs')).toBe(200);
  });

  it('are deleted with the job', async () => {
    const file = tempFile();
    const worker = await openStore({ file }, { maxResults: 2 });
    for (let n = 0; n < 5; n++) {
      await submit(worker);
      const [attempt] = (await claim(worker)) as [Attempt];
      await worker.store.control.report(attempt, { progress: n, lines: lines(3) });
      await worker.store.settle(attempt, SUCCESS, worker.clock.now());
    }
    expect(await rowsIn(file, 'logs')).toBe(6);
  });

  it('are ignored from a worker that has lost the job', async () => {
    const { worker, other, id, stale } = await lostAttempt();
    await worker.store.control.report(stale, { progress: 'stale', lines: lines(1) });
    await claim(other);
    await worker.store.control.report(stale, { progress: 'stale', lines: lines(1) });
    expect(other.store.control.job(id)).toMatchObject({ progress: null, logs: [] });
  });
});
