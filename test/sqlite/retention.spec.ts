import { existsSync, readdirSync, statSync } from 'node:fs';
import type { Attempt } from '../../lib/job/job.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { settle } from '../support/manual-clock.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { newJob, openStore, type OpenStore, submit } from './stores.js';

const SUCCESS = { kind: 'success', result: { some: 'result' } } as const;

async function work(
  { store, clock }: OpenStore,
  jobs: number,
  args: unknown[] = ['some argument'],
): Promise<void> {
  await store.insertMany(
    Array.from({ length: jobs }, () => newJob({ args })),
    clock.now(),
  );
  for (let left = jobs; left > 0;) {
    const claimed: readonly Attempt[] = await store.claim('q', 100, clock.now());
    left -= claimed.length;
    await Promise.all(claimed.map((attempt) => store.settle(attempt, SUCCESS, clock.now())));
  }
}

/** The rows of the tables, and whether the counters match them. */
async function figures(file: string) {
  const database = await loadDriver(DRIVER).then((driver) => driver.open(file));
  const one = <T>(sql: string): T => (database.prepare<{ value: T }>(sql).get() as { value: T }).value;
  const found = {
    jobs: one<number>('SELECT count(*) AS value FROM jobs'),
    args: one<number>('SELECT count(*) AS value FROM large_args'),
    wrongCounts: one<number>(
      `SELECT count(*) AS value FROM counts
       WHERE jobs <> (SELECT count(*) FROM jobs WHERE jobs.queue = counts.queue AND jobs.status = counts.status)`,
    ),
    integrity: one<string>('SELECT integrity_check AS value FROM pragma_integrity_check'),
  };
  database.close();
  return found;
}

it('a file stays bounded, however many jobs it has held', async () => {
  const file = tempFile();
  const worker = await openStore({ file }, { maxResults: 500 });
  const sizes: number[] = [];
  for (let round = 0; round < 4; round++) {
    await work(worker, 2_000, ['x'.repeat(3_000)]);
    sizes.push(statSync(file).size + statSync(`${file}-wal`).size);
  }
  expect(sizes[3]).toBeLessThan(1.2 * (sizes[1] as number));
  expect(await figures(file)).toEqual({ jobs: 500, args: 500, wrongCounts: 0, integrity: 'ok' });
});

it('expired results are deleted from the file', async () => {
  const file = tempFile();
  const worker = await openStore({ file, lease: 10_000 }, { resultTtl: 60_000 });
  await work(worker, 1_200);
  await worker.clock.advance(30_000);
  await work(worker, 10);
  expect(await figures(file)).toMatchObject({ jobs: 1_210 });
  await worker.clock.advance(32_000);
  await settle();
  expect(await figures(file)).toMatchObject({ jobs: 10, wrongCounts: 0 });
});

it('one process drops old results for all', async () => {
  const file = tempFile();
  const workers = [await openStore({ file }), await openStore({ file }), await openStore({ file })];
  await work(workers[0] as OpenStore, 10);
  for (const { clock } of workers) clock.jump(3_700_000);
  for (const { clock } of workers) await clock.advance(6_000);
  expect(await figures(file)).toMatchObject({ jobs: 0 });
  await work(workers[0] as OpenStore, 5);
  for (const { clock } of workers) clock.jump(10_000);
  // Half a minute has not passed since the last time.
  for (const { clock } of workers) await clock.advance(6_000);
  expect(await figures(file)).toMatchObject({ jobs: 5, wrongCounts: 0 });
});

it('a lowered maxResults takes effect over several transactions', async () => {
  const file = tempFile();
  const before = await openStore({ file });
  await work(before, 3_000);
  await before.store.close();
  const after = await openStore({ file }, { maxResults: 10 });
  await work(after, 1);
  expect((await figures(file)).jobs).toBeGreaterThan(2_000);
  for (let n = 0; n < 10; n++) await work(after, 1);
  expect(await figures(file)).toMatchObject({ jobs: 10, wrongCounts: 0 });
});

it('an unfinished job is never dropped', async () => {
  const file = tempFile();
  const worker = await openStore({ file }, { maxResults: 1, resultTtl: 1_000 });
  await worker.store.insert(newJob({ delay: 1_000_000 }), worker.clock.now());
  await work(worker, 100);
  await worker.clock.advance(100_000);
  expect(await figures(file)).toMatchObject({ jobs: 1 });
  expect(worker.store.pendingCount()).toBe(1);
});

it('a wait ends if the result came and was dropped between two checks', async () => {
  const file = tempFile();
  const waiting = await openStore({ file, pollInterval: 60_000, lease: 10_000 });
  const worker = await openStore({ file }, { maxResults: 1 });
  const id = await submit(waiting);
  const result = expect(waiting.store.results.waitFor(id)).rejects.toThrow(/dropped/);
  await work(worker, 5);
  await waiting.clock.advance(2_000);
  await result;
});

it('open() and close() leave no file handle and no log file', async () => {
  const file = tempFile();
  const handles = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);
  const first = await openStore({ file });
  await first.store.close();
  const before = handles();
  for (let round = 0; round < 20; round++) {
    const { store, clock } = await openStore({ file });
    await store.insert(newJob(), clock.now());
    await store.close();
  }
  expect(handles()).toBe(before);
  expect([existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([false, false]);
});
