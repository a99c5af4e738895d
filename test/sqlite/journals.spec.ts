import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { migrate } from '../../lib/engine/sqlite/file/migrations.js';
import { EngineError } from '../../lib/index.js';
import type { Attempt } from '../../lib/job/job.js';
import { MAX_POSTS } from '../../lib/job/journal/journal.js';
import type { QueueCounts } from '../../lib/job/query.js';
import type { Outcome } from '../../lib/job/outcome.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { claim, openStore, type OpenStore, submit, submitMany, newJob, query } from './stores.js';

const LEASE = 10_000;
const SUCCESS = { kind: 'success', result: 1 } as const;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };
const FAILED = { kind: 'failed', error: ERROR } as const;

const step = (key: string, body = `"${key}"`) => ({ key, body });
const suspended = (delay: number | null, seen = 0) => ({ kind: 'suspended', delay, seen }) as const;
const raw = async (file: string): Promise<SqliteDatabase> => (await loadDriver(DRIVER)).open(file);
const statusOf = ({ store }: OpenStore, id: string): string | undefined => store.results.get(id)?.status;
const settled = ({ store, clock }: OpenStore, attempt: Attempt, outcome: Outcome) =>
  store.settle(attempt, outcome, clock.now());

/** Two processes that share a file. */
async function two(pollInterval = 60_000) {
  const file = tempFile();
  const options = { file, lease: LEASE, pollInterval };
  return { file, worker: await openStore(options), other: await openStore(options) };
}

async function started(worker: OpenStore, values: Parameters<typeof submit>[1] = {}) {
  const id = await submit(worker, values);
  const [attempt] = (await claim(worker)) as [Attempt];
  return { id, attempt };
}

/** A job that is suspended after one step. */
async function suspendedJob(worker: OpenStore, delay: number | null = null) {
  const { id, attempt } = await started(worker);
  await worker.store.journals.append(attempt, [step('first')]);
  expect(await settled(worker, attempt, suspended(delay))).toBe(true);
  return id;
}

describe('append', () => {
  it('keeps the order of the first writes, and replaces by key, also in another process', async () => {
    const { worker, other } = await two();
    const { id, attempt } = await started(worker);
    expect(await worker.store.journals.append(attempt, [step('b'), step('a')])).toBe(true);
    expect(await worker.store.journals.append(attempt, [step('c'), step('b', '2')])).toBe(true);
    const entries = [step('b', '2'), step('a'), step('c')];
    expect(other.store.journals.read(id)).toEqual({ entries, posts: 0 });
    expect(other.store.journals.read('unknown')).toEqual({ entries: [], posts: 0 });
  });

  it('lets the next attempt, and no earlier one, be a resumed one', async () => {
    const { worker } = await two();
    const { id, attempt } = await started(worker);
    await worker.store.journals.post(id, step('posted'));
    expect(attempt.isResumed).toBe(false);
    await settled(worker, attempt, { kind: 'retry', delay: 0, error: ERROR });
    const [second] = (await claim(worker)) as [Attempt];
    expect(second.isResumed).toBe(false);
    await worker.store.journals.append(second, [step('first')]);
    expect(second.isResumed).toBe(false);
    await settled(worker, second, { kind: 'released', delay: 0 });
    expect(await claim(worker)).toMatchObject([{ taskId: id, isResumed: true }]);
  });

  it('is false, and changes nothing, once another worker has claimed the job', async () => {
    const { worker, other } = await two();
    const { id, attempt } = await started(worker);
    await other.clock.advance(2 * LEASE);
    const [current] = (await claim(other)) as [Attempt];
    expect(await worker.store.journals.append(attempt, [step('stale')])).toBe(false);
    expect(await other.store.journals.append(current, [step('current')])).toBe(true);
    expect(worker.store.journals.read(id).entries).toEqual([step('current')]);
  });

  it('claims a rescued job again that no other worker has claimed', async () => {
    const { worker, other } = await two();
    const { id, attempt } = await started(worker);
    await other.clock.advance(2 * LEASE);
    expect(statusOf(other, id)).toBe('pending');
    expect(await worker.store.journals.append(attempt, [step('late')])).toBe(true);
    expect(statusOf(other, id)).toBe('running');
    expect(await claim(other)).toEqual([]);
  });

  it.each([SUCCESS, FAILED, suspended(null), { kind: 'snoozed', delay: 0 }] as const)(
    'is false after the outcome $kind',
    async (outcome) => {
      const { worker } = await two();
      const { id, attempt } = await started(worker);
      await settled(worker, attempt, outcome);
      expect(await worker.store.journals.append(attempt, [step('late')])).toBe(false);
      expect(worker.store.journals.read(id).entries).toEqual([]);
    },
  );

  it('writes all entries of a call or none, and later calls are made', async () => {
    const { worker } = await two();
    const { id, attempt } = await started(worker);
    const invalid = { key: 'second', body: null as unknown as string };
    const first = worker.store.journals.append(attempt, [step('first'), invalid]);
    const later = worker.store.journals.append(attempt, [step('later')]);
    await expect(first).rejects.toBeInstanceOf(EngineError);
    expect(await later).toBe(true);
    expect(worker.store.journals.read(id).entries).toEqual([step('later')]);
    await settled(worker, attempt, suspended(0));
    expect(await claim(worker)).toMatchObject([{ isResumed: true }]);
  });
});

describe('a suspended job', () => {
  it('is counted apart, found, and keeps its retries and errors', async () => {
    const { worker } = await two();
    const { attempt } = await started(worker);
    await settled(worker, attempt, { kind: 'retry', delay: 0, error: ERROR });
    const [second] = (await claim(worker)) as [Attempt];
    await settled(worker, second, suspended(5_000));
    const dueAt = worker.clock.now() + 5_000;
    const found = worker.store.control.find(query({ status: ['suspended'] }));
    expect(found.rows).toMatchObject([{ status: 'suspended', dueAt, retries: 1, errors: [ERROR] }]);
    expect(worker.store.pendingCount()).toBe(0);
    expect(worker.store.control.counts()).toMatchObject([
      { suspended: 1, pending: 0, retrying: 0, running: 0 },
    ]);
    await worker.clock.advance(4_999);
    expect(await claim(worker)).toEqual([]);
    await worker.clock.advance(1);
    expect(worker.store.nextDue('q')).toBe(dueAt);
    expect(await claim(worker)).toMatchObject([{ retries: 1, errors: [ERROR] }]);
    expect(worker.store.control.counts()).toMatchObject([{ suspended: 0, running: 1 }]);
  });

  it('never comes due by itself without a delay', async () => {
    const { worker } = await two();
    const id = await suspendedJob(worker);
    expect(worker.store.control.job(id)).toMatchObject({ status: 'suspended', dueAt: null });
    expect(worker.store.nextDue('q')).toBeNull();
    worker.clock.jump(1e12);
    expect(await claim(worker)).toEqual([]);
  });

  it('stays suspended while it is prefetched and released', async () => {
    const { worker, other } = await two();
    await submitMany(
      worker,
      Array.from({ length: 7 }, () => newJob()),
    );
    const all = await claim(worker, 7);
    for (const attempt of all) {
      await worker.store.journals.append(attempt, [step('first')]);
      await settled(worker, attempt, suspended(0));
    }
    for (let n = 0; n < 4; n++) await claim(worker);
    const [{ running }] = other.store.control.counts() as [QueueCounts];
    expect(running).toBeGreaterThan(4);
    const counts = [{ running: 4, suspended: 3, pending: 0 }];
    expect(worker.store.control.counts()).toMatchObject(counts);
    const suspendedOnes = query({ status: ['suspended'] });
    expect(worker.store.control.find(suspendedOnes).rows).toHaveLength(3);
    worker.store.stop();
    await worker.clock.advance(20);
    expect(other.store.control.counts()).toMatchObject(counts);
    expect(await claim(other, 3)).toHaveLength(3);
  });

  it('is left as it is when the process stops, and comes due in the next one', async () => {
    const { worker, other } = await two();
    const id = await suspendedJob(worker, 1_000);
    expect(worker.store.stop()).toBe(0);
    await worker.store.close();
    expect(statusOf(other, id)).toBe('suspended');
    await other.clock.advance(1_000);
    expect(await claim(other)).toMatchObject([{ taskId: id, isResumed: true }]);
  });

  it('that comes due and loses its worker waits again', async () => {
    const { worker, other } = await two();
    const id = await suspendedJob(worker, 0);
    await claim(worker);
    await other.clock.advance(2 * LEASE);
    expect(statusOf(other, id)).toBe('pending');
    expect(await claim(other)).toMatchObject([{ taskId: id, isResumed: true }]);
  });
});

describe('post', () => {
  it('wakes a suspended job, also that of another process, and never makes it due later', async () => {
    const { worker, other } = await two(1);
    const ids = [await suspendedJob(worker), await suspendedJob(worker, 60_000)];
    const changes = worker.changes;
    for (const id of ids) expect(await other.store.journals.post(id, step('message'))).toBe('posted');
    await until(() => worker.changes > changes, { describe: 'the worker hears of the wake-up' });
    expect((await claim(worker, 2)).map(({ taskId }) => taskId)).toEqual(ids);
    const third = await suspendedJob(worker, 500);
    for (let n = 0; n < 10_000; n += 500)
      await Promise.all(
        Array.from({ length: 500 }, (_, k) => worker.store.journals.post(third, step(`${n + k}`))),
      );
    const first = worker.clock.now();
    expect(worker.store.control.job(third)?.dueAt).toBe(first);
  });

  it('delays the wake-up of a job with many messages', async () => {
    const { worker, file } = await two();
    const id = await suspendedJob(worker);
    const database = await raw(file);
    database.exec('UPDATE jobs SET posts = 999');
    database.close();
    await worker.store.journals.post(id, step('message'));
    const dueAt = worker.clock.now() + 100;
    expect(worker.store.control.job(id)).toMatchObject({ status: 'suspended', dueAt });
    const changes = worker.changes;
    await worker.store.journals.post(id, step('another'));
    expect(worker.store.control.job(id)?.dueAt).toBe(dueAt);
    expect(worker.changes).toBe(changes);
    expect(await claim(worker)).toEqual([]);
    await worker.clock.advance(100);
    expect(await claim(worker)).toMatchObject([{ taskId: id }]);
  });

  it('is kept by a job that runs or waits, and the attempt that has not seen it does not wait', async () => {
    const { worker, other } = await two();
    const { id, attempt } = await started(worker);
    expect(await other.store.journals.post(id, step('early'))).toBe('posted');
    expect(await other.store.journals.post(id, step('early', 'other'))).toBe('known');
    expect(worker.store.journals.read(id)).toEqual({ entries: [step('early')], posts: 1 });
    expect(await settled(worker, attempt, suspended(null, 0))).toBe(true);
    expect(worker.store.control.counts()).toMatchObject([{ pending: 1, suspended: 0 }]);
    const [second] = (await claim(worker)) as [Attempt];
    expect(await settled(worker, second, suspended(null, 1))).toBe(true);
    expect(statusOf(worker, id)).toBe('suspended');
    const delayed = await submit(worker, { delay: 5_000 });
    const dueAt = worker.clock.now() + 5_000;
    expect(await other.store.journals.post(delayed, step('early'))).toBe('posted');
    expect(worker.store.control.job(delayed)).toMatchObject({ status: 'pending', dueAt });
  });

  it('answers for a job that has ended, is unknown, has expired or is full', async () => {
    const { worker, file } = await two();
    const { id, attempt } = await started(worker);
    await worker.store.journals.post(id, step('first'));
    const database = await raw(file);
    database.exec(`UPDATE jobs SET posts = ${MAX_POSTS}`);
    database.close();
    expect(await worker.store.journals.post(id, step('more'))).toBe('full');
    expect(await worker.store.journals.post(id, step('first'))).toBe('known');
    await settled(worker, attempt, SUCCESS);
    expect(await worker.store.journals.post(id, step('more'))).toBe('finished');
    expect(await worker.store.journals.post('unknown', step('more'))).toBe('unknown');
    expect(worker.store.journals.read(id)).toEqual({ entries: [step('first')], posts: MAX_POSTS });
    worker.clock.jump(3_600_000);
    expect(await worker.store.journals.post(id, step('more'))).toBe('unknown');
    expect(worker.store.journals.read(id).entries).toEqual([]);
  });

  it('loses no wake-up: of 300 messages that race with suspensions, an attempt sees each', async () => {
    const { worker, other } = await two();
    const id = await submit(worker);
    let seen = 0;
    const work = async (): Promise<void> => {
      while (seen < 300) {
        const [attempt] = await claim(worker);
        if (attempt === undefined) {
          // A job that is suspended has seen every message that has been posted.
          if (statusOf(worker, id) === 'suspended') expect(worker.store.journals.read(id).posts).toBe(seen);
          await worker.clock.advance(100);
          continue;
        }
        seen = worker.store.journals.read(id).posts;
        await new Promise((resolve) => setImmediate(resolve));
        await settled(worker, attempt, suspended(null, seen));
      }
    };
    const post = async (): Promise<void> => {
      for (let n = 0; n < 300; n++) {
        await (n % 2 === 0 ? worker : other).store.journals.post(id, step(`${n}`));
        if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([work(), post()]);
    expect(seen).toBe(300);
  });
});

describe('the journal', () => {
  it('outlives the end of its job, and a failed job can forget entries', async () => {
    const { worker, other } = await two();
    const { id, attempt } = await started(worker);
    await worker.store.journals.append(attempt, [step('a'), step('b'), step('c')]);
    expect(await other.store.journals.forget(id, ['a'], step('mark'))).toBe(false);
    await settled(worker, attempt, FAILED);
    expect(await other.store.journals.forget(id, ['c', 'none', 'a'], step('mark'))).toBe(true);
    expect(await other.store.journals.forget('unknown', ['b'], step('mark'))).toBe(false);
    expect(worker.store.journals.read(id).entries).toEqual([step('b'), step('mark')]);
    await worker.store.control.retry(id);
    expect(await claim(worker)).toMatchObject([{ taskId: id, isResumed: true }]);
    expect(worker.store.journals.read(id).entries).toEqual([step('b'), step('mark')]);
  });

  it.each(['remove', 'bulk', 'maxResults', 'resultTtl'])('is deleted with its job: %s', async (way) => {
    const file = tempFile();
    const worker = await openStore({ file, lease: LEASE }, { maxResults: 1, resultTtl: 100_000 });
    const { id, attempt } = await started(worker);
    await worker.store.journals.append(attempt, [step('a')]);
    await worker.store.journals.post(id, step('b'));
    await settled(worker, attempt, SUCCESS);
    if (way === 'remove') await worker.store.control.remove(id);
    else if (way === 'bulk') {
      const removal = worker.store.control.bulk(
        { kind: 'remove' },
        { ...query(), status: ['success'] },
        false,
      );
      for await (const { count } of removal) expect(count).toBe(1);
    } else if (way === 'maxResults') {
      const next = await started(worker);
      await settled(worker, next.attempt, SUCCESS);
    } else await worker.clock.advance(200_000);
    const database = await raw(file);
    expect(database.prepare('SELECT job FROM journals').all()).toEqual([]);
    expect(database.prepare('SELECT job FROM dropped_journals').all()).toEqual([]);
    database.close();
    expect(worker.store.journals.read(id).entries).toEqual([]);
  });

  it('that is long is deleted in pieces', async () => {
    const { worker, file } = await two();
    const { id, attempt } = await started(worker);
    await worker.store.journals.append(
      attempt,
      Array.from({ length: 1_700 }, (_, n) => step(`${n}`)),
    );
    await settled(worker, attempt, SUCCESS);
    await worker.store.control.remove(id);
    const database = await raw(file);
    const left = database.prepare<{ entries: number }>('SELECT count(*) AS entries FROM journals');
    expect(left.get()).toEqual({ entries: 1_600 });
    expect(worker.store.journals.read(id).entries).toEqual([]);
    await worker.clock.advance(60_000);
    await until(() => left.get()?.entries === 0, { describe: 'maintenance has deleted the rest' });
    await until(() => database.prepare('SELECT 1 FROM dropped_journals').get() === undefined, {
      describe: 'the job is forgotten',
    });
    database.close();
  });

  it('of jobs in a file of the fifth schema begins empty', async () => {
    const file = tempFile();
    const database = await raw(file);
    migrate(database, file, 5);
    database.exec(
      `INSERT INTO jobs (id, task_id, chosen, task, queue, status, priority, place, submitted_at, args)
       VALUES (1, 'order-17', 1, 'task', 'q', 'pending', 0, 1, 1700000000000, '[]');
       INSERT INTO counts (queue, status, jobs) VALUES ('q', 'pending', 1);
       UPDATE numbers SET value = 10 WHERE name = 'last';`,
    );
    database.close();
    const worker = await openStore({ file });
    expect(worker.store.journals.read('order-17')).toEqual({ entries: [], posts: 0 });
    const [attempt] = (await claim(worker)) as [Attempt];
    expect(attempt).toMatchObject({ taskId: 'order-17', isResumed: false });
    expect(await worker.store.journals.append(attempt, [step('first')])).toBe(true);
    await settled(worker, attempt, suspended(null));
    expect(await worker.store.journals.post('order-17', step('message'))).toBe('posted');
    expect(await claim(worker)).toMatchObject([{ taskId: 'order-17', isResumed: true }]);
  });
});

describe('a plain job', () => {
  it('has no values in the columns of journals, and a job that waits for a message stands in no index', async () => {
    const { worker, file } = await two();
    const { id, attempt } = await started(worker);
    await settled(worker, attempt, SUCCESS);
    const waiting = await suspendedJob(worker);
    const database = await raw(file);
    const rows = database.prepare(
      'SELECT task_id, appended, posts, place, due_at, leased_until, finish_order IS NULL AS unfinished FROM jobs ORDER BY id',
    );
    expect(rows.all()).toMatchObject([
      { task_id: id, appended: null, posts: null },
      { task_id: waiting, appended: 1, place: null, due_at: null, leased_until: null, unfinished: 1 },
    ]);
    database.close();
  });
});

it('writes that were made before the close are stored, and later ones are rejected', async () => {
  const { worker, other } = await two();
  const { id, attempt } = await started(worker);
  const appended = worker.store.journals.append(attempt, [step('last')]);
  await worker.store.close();
  expect(await appended).toBe(true);
  expect(other.store.journals.read(id).entries).toEqual([step('last')]);
  await expect(worker.store.journals.append(attempt, [step('late')])).rejects.toThrow('not open');
  expect(() => worker.store.journals.read(id)).toThrow('not open');
});
