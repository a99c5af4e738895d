import type { Attempt } from '../../lib/job/job.js';
import type { JobQuery } from '../../lib/job/query.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { IdGenerator } from '../../lib/engine/sqlite/id-generator.js';
import { JobPages } from '../../lib/engine/sqlite/sql/job-pages.js';
import { JobReads } from '../../lib/engine/sqlite/sql/job-reads.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { claim, newJob, openStore, type OpenStore, query, submit, submitMany } from './stores.js';

const SUCCESS = { kind: 'success', result: { some: 'result' } } as const;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };
const FAILED = { kind: 'failed', error: ERROR } as const;

function pages({ store }: OpenStore, values: Partial<JobQuery>): string[][] {
  const found: string[][] = [];
  let cursor: string | null = null;
  do {
    const page = store.control.find(query({ ...values, cursor }));
    found.push(page.rows.map(({ taskId }) => taskId));
    ({ cursor } = page);
  } while (cursor !== null);
  return found;
}

async function on<T>(file: string, look: (database: SqliteDatabase) => T): Promise<T> {
  const database = (await loadDriver(DRIVER)).open(file);
  try {
    return look(database);
  } finally {
    database.close();
  }
}

/** Adds finished jobs by SQL: each hundredth has failed, each thousandth belongs to another queue. */
const addFinished = (count: number) => (database: SqliteDatabase) =>
  database.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO jobs (id, task_id, task, queue, status, failed, priority, submitted_at, finished_at, finish_order, args)
    SELECT i, 'job ' || i, 'task', iif(i % 1000 = 0, 'rare', 'q'), iif(i % 100 = 0, 'failed', 'success'),
           iif(i % 100 = 0, 1, NULL), 0,
           1700000000000, 1700000000000, i, '[]' FROM n;
    UPDATE numbers SET value = ${count} WHERE name = 'last';
    INSERT INTO counts (queue, status, jobs)
    SELECT queue, status, count(*) FROM jobs GROUP BY queue, status;`);

it('pages list each job once, newest first', async () => {
  const worker = await openStore({ file: tempFile() });
  const ids = await submitMany(
    worker,
    Array.from({ length: 25 }, (_, n) => newJob({ taskName: n % 2 === 0 ? 'even' : 'odd' })),
  );
  const newest = [...ids].reverse();
  expect(pages(worker, { limit: 10 })).toEqual([newest.slice(0, 10), newest.slice(10, 20), newest.slice(20)]);
  expect(pages(worker, { limit: 25 }).flat()).toEqual(newest);
  expect(pages(worker, { limit: 4, task: 'odd' }).flat()).toEqual(newest.filter((_, n) => n % 2 === 1));
  expect(() => worker.store.control.find(query({ cursor: '?!' }))).toThrow(/'\?!' is no cursor/);
});

it('a job is shown with its arguments, metadata, due time, errors and result', async () => {
  const worker = await openStore({ file: tempFile() });
  const large = 'x'.repeat(10_000);
  const metadata = { by: 'ada', at: new Date(0) };
  const id = await submit(worker, { args: [large], metadata, priority: 7, delay: 500 });
  expect(worker.store.control.job(id)).toEqual({
    taskId: id,
    taskName: 'task',
    queue: 'q',
    priority: 7,
    status: 'pending',
    result: null,
    errors: [],
    reason: null,
    submittedAt: worker.clock.now(),
    startedAt: null,
    finishedAt: null,
    retries: 0,
    progress: null,
    dueAt: worker.clock.now() + 500,
    metadata,
    args: [large],
    logs: [],
  });
  await worker.clock.advance(500);
  const [attempt] = (await claim(worker)) as [Attempt];
  expect(attempt.metadata).toEqual(metadata);
  await worker.store.settle(attempt, { kind: 'retry', error: ERROR, delay: 100 }, worker.clock.now());
  expect(worker.store.control.job(id)).toMatchObject({
    status: 'retrying',
    retries: 1,
    dueAt: worker.clock.now() + 100,
    errors: [{ message: 'boom' }],
  });
  await worker.clock.advance(100);
  await worker.store.settle((await claim(worker))[0] as Attempt, SUCCESS, worker.clock.now());
  expect(worker.store.control.job(id)).toMatchObject({
    status: 'success',
    result: { some: 'result' },
    dueAt: null,
  });
  expect(worker.store.control.job('nobody')).toBeNull();
});

it('prefetched jobs are shown and counted as waiting', async () => {
  const worker = await openStore({ file: tempFile() });
  const ids = await submitMany(
    worker,
    Array.from({ length: 8 }, () => newJob()),
  );
  for (let n = 0; n < 4; n++) await claim(worker);
  const waiting = ids.slice(4).reverse();
  expect(pages(worker, { status: ['pending'] }).flat()).toEqual(waiting);
  expect(pages(worker, { status: ['running'] }).flat()).toEqual(ids.slice(0, 4).reverse());
  expect(pages(worker, { status: ['pending', 'running'], limit: 3 }).flat()).toHaveLength(8);
  expect(worker.store.control.counts()).toMatchObject([{ queue: 'q', pending: 4, running: 4 }]);
  expect(worker.store.control.job(waiting[0] as string)).toMatchObject({
    status: 'pending',
    startedAt: null,
  });
});

it('counts contain all declared queues and all other queues of the file', async () => {
  const file = tempFile();
  const worker = await openStore({ file });
  await submit(worker, { queue: 'elsewhere', delay: 1 });
  await worker.store.control.pause('paused only');
  const gone = await submit(worker, { queue: 'gone' });
  await worker.store.control.cancel(gone, 'no');
  await worker.store.control.remove(gone);
  const none = { pending: 0, running: 0, retrying: 0, suspended: 0, success: 0, failed: 0, cancelled: 0 };
  expect(worker.store.control.counts()).toEqual([
    { queue: 'q', paused: false, ...none },
    { queue: 'elsewhere', paused: false, ...none, pending: 1 },
    { queue: 'paused only', paused: true, ...none },
  ]);
});

it('expired results are not shown, even while their rows exist', async () => {
  const worker = await openStore({ file: tempFile(), lease: 3_600_000 }, { resultTtl: 1_000 });
  const id = await submit(worker);
  await worker.store.settle((await claim(worker))[0] as Attempt, FAILED, worker.clock.now());
  expect(pages(worker, {}).flat()).toEqual([id]);
  await worker.clock.advance(1_000);
  expect(pages(worker, {}).flat()).toEqual([]);
  expect(worker.store.control.job(id)).toBeNull();
  expect(await worker.store.control.retry(id)).toBeNull();
  expect(await worker.store.control.remove(id)).toBe(false);
  expect(await worker.store.control.cancel(id, '')).toEqual({ kind: 'unknown' });
});

it('an unreadable row is shown without its unreadable fields', async () => {
  const file = tempFile();
  const worker = await openStore({ file });
  const [good, bad] = await submitMany(worker, [newJob(), newJob({ args: ['x'], metadata: { a: 1 } })]);
  await on(file, (database) =>
    database
      .prepare(
        `UPDATE jobs SET args = '{', metadata = 'nonsense', progress = '[', errors = '?' WHERE task_id = ?`,
      )
      .run(bad as string),
  );
  expect(pages(worker, {}).flat()).toEqual([bad, good]);
  expect(worker.store.control.job(bad as string)).toMatchObject({
    args: null,
    metadata: undefined,
    progress: null,
    errors: [],
    unreadable: expect.arrayContaining(['args', 'metadata', 'progress', 'errors']),
  });
});

describe('in a file of 60,000 jobs', () => {
  const file = tempFile('many');
  beforeAll(async () => {
    const { store } = await openStore({ file });
    await store.close();
    await on(file, addFinished(60_000));
  });

  it('a page reads at most 5,000 jobs, and the next page continues from there', async () => {
    const worker = await openStore({ file });
    const rare = pages(worker, { queue: 'rare' });
    expect(rare).toHaveLength(12);
    expect(rare.every((page) => page.length === 5)).toBe(true);
    expect(pages(worker, { task: 'none' })).toEqual(Array.from({ length: 12 }, () => []));
  });

  it('failed jobs are found without reading others', async () => {
    const worker = await openStore({ file });
    const failed = pages(worker, { status: ['failed'], limit: 250 });
    expect(failed.map((page) => page.length)).toEqual([250, 250, 100]);
    expect(pages(worker, { status: ['failed'], queue: 'rare' })).toHaveLength(1);
    expect(pages(worker, { status: ['running'] })).toEqual([[]]);
  });
});

it('every query uses an index, and sorts at most the running jobs', async () => {
  const file = tempFile();
  await (await openStore({ file })).store.close();
  await on(file, (database) => {
    const statements: string[] = [];
    const recording: SqliteDatabase = {
      ...database,
      prepare: (sql) => {
        statements.push(sql);
        return database.prepare(sql);
      },
    };
    new JobReads(recording, new IdGenerator(0));
    const pages = new JobPages(recording);
    for (const status of [undefined, ['failed'], ['running'], ['pending', 'retrying']] as const)
      pages.page(query({ status, task: 't', queue: 'q', from: 1, to: 2, cursor: 'zz' }), status, 0);
    pages.page(query({ tag: 'a', status: ['failed'], task: 't', cursor: 'zz' }), ['failed'], 0);
    for (const sql of statements) {
      const params = [...sql.matchAll(/\?/g)].map(() => 1);
      const plan = database.prepare<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
      for (const { detail } of plan) {
        if (detail.startsWith('SCAN'))
          expect(detail).toMatch(/SCAN (counts|queues|json_each)|jobs_leased|jobs_cancelling/);
        if (sql.includes('job_tags'))
          expect(detail).toMatch(
            /SEARCH job_tags USING PRIMARY KEY \(tag=\? AND job|SEARCH jobs USING INTEGER PRIMARY KEY|json_each|LIST SUBQUERY|BLOOM FILTER/,
          );
        if (detail.includes('USE TEMP B-TREE')) expect(sql).toContain('jobs_leased');
      }
    }
    expect(statements.filter((sql) => sql.includes('INDEXED BY'))).not.toEqual([]);
  });
});
