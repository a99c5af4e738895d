import type { Attempt } from '../../lib/job/job.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import type { JobsFile } from '../../lib/engine/sqlite/file/jobs-file.js';
import type { SqliteAttempt } from '../../lib/engine/sqlite/sql/sqlite-attempt.js';
import { settle } from '../support/manual-clock.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { claim, newJob, openStore, submit, submitMany } from './stores.js';

const LEASE = 10_000;
const RIGHT = { kind: 'success', result: 'the right one' } as const;
const SUCCESS = { kind: 'success', result: 'done' } as const;

async function two(options: { maxRescues?: number } = {}) {
  const file = tempFile();
  const first = await openStore({ file, lease: LEASE, ...options });
  const second = await openStore({ file, lease: LEASE, ...options });
  return { file, first, second };
}

it('a job belongs to its worker while the lease lasts, and to the next one afterwards', async () => {
  const { first, second } = await two();
  await submit(first);
  const [attempt] = await claim(first);
  await second.clock.advance(LEASE - 1);
  expect(await claim(second)).toEqual([]);
  await second.clock.advance(LEASE / 5);
  const [again] = await claim(second);
  expect(again).toMatchObject({ taskId: attempt?.taskId, retries: 0, errors: [], lost: false });
});

it('what comes with a stale token changes nothing: neither a settlement nor a renewal', async () => {
  const { first, second } = await two();
  const id = await submit(first);
  const [stale] = (await claim(first)) as [Attempt];
  await second.clock.advance(2 * LEASE);
  const [current] = (await claim(second)) as [Attempt];
  for (const outcome of [
    SUCCESS,
    { kind: 'failed', error: { attempt: 1, name: 'E', message: '', code: null, stack: null, at: 0 } },
    { kind: 'released', delay: 0 },
  ] as const)
    expect(await first.store.settle(stale, outcome, first.clock.now())).toBe(false);
  expect(await second.store.settle(current, RIGHT, second.clock.now())).toBe(true);
  expect(second.store.results.get(id)).toMatchObject({ status: 'success', result: 'the right one' });
});

it('a worker renews while it lives, for as long as it takes', async () => {
  const { first, second } = await two();
  await submit(first);
  const [attempt] = (await claim(first)) as [Attempt];
  for (let round = 0; round < 10; round++) {
    await first.clock.advance(LEASE / 2);
    await second.clock.advance(LEASE / 2);
    expect(await claim(second)).toEqual([]);
  }
  expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
});

it('tells a worker that was too late that its job has been taken over', async () => {
  const { first, second } = await two();
  await submit(first);
  const [attempt] = await claim(first);
  await second.clock.advance(2 * LEASE);
  await claim(second);
  expect(first.lost).toEqual([]);
  await first.clock.advance(LEASE);
  expect(first.lost).toEqual([attempt]);
  await first.clock.advance(LEASE);
  expect(first.lost).toHaveLength(1);
});

it('a worker that was merely late keeps what nobody else has taken', async () => {
  const { first } = await two();
  await submit(first);
  const [attempt] = (await claim(first)) as [Attempt];
  first.clock.jump(5 * LEASE);
  await first.clock.advance(LEASE);
  expect(await claim(first)).toEqual([]);
  expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
});

it('a job that outlives too many workers is handed out as lost', async () => {
  const file = tempFile();
  const seen: boolean[] = [];
  for (let round = 0; round < 4; round++) {
    const worker = await openStore({ file, lease: LEASE, maxRescues: 2 });
    if (round === 0) await submit(worker);
    await worker.clock.advance(2 * LEASE * round);
    const [attempt] = (await claim(worker)) as [Attempt];
    seen.push(attempt.lost);
    // Its time stands still from here on: it has died.
  }
  expect(seen).toEqual([false, false, false, true]);
});

it('a job that a worker has died with is never taken ahead, so that nobody is lost beside it', async () => {
  const { first, second } = await two();
  const suspect = await submit(first, { priority: 5 });
  await claim(first);
  await second.clock.advance(2 * LEASE);
  const others = await submitMany(
    second,
    Array.from({ length: 10 }, () => newJob()),
  );
  for (const id of others) expect(await claim(second)).toMatchObject([{ taskId: id }]);
  expect(first.store.results.get(suspect)?.status).toBe('pending');
  expect(await claim(second)).toMatchObject([{ taskId: suspect, lost: false }]);
});

describe('of workers that die', () => {
  /** A worker that takes up to so many jobs, and whose time stands still afterwards. */
  async function dyingWorkers(maxRescues: number) {
    const file = tempFile();
    let workers = 0;
    return async (claims: readonly number[], jobs = 0) => {
      const worker = await openStore({ file, lease: LEASE, maxRescues });
      await submitMany(
        worker,
        Array.from({ length: jobs }, (_, n) => newJob({ taskName: `job ${n}` })),
      );
      await worker.clock.advance(2 * LEASE * workers++);
      const taken: string[] = [];
      for (const limit of claims)
        for (const { taskName, lost } of await claim(worker, limit))
          taken.push(lost ? `${taskName} is lost` : taskName);
      return { worker, taken };
    };
  }

  it('the starts of a job count that was taken ahead, and not that it was taken', async () => {
    const start = await dyingWorkers(1);
    const first = await start([1, 1], 3);
    expect(first.taken).toEqual(['job 0', 'job 1']);
    expect(first.worker.store.pendingCount()).toBe(1);
    expect((await start([1, 1, 1])).taken).toEqual(['job 0', 'job 1', 'job 2']);
    expect((await start([1, 1, 1])).taken).toEqual(['job 0 is lost', 'job 1 is lost', 'job 2']);
    expect((await start([1, 1, 1])).taken).toEqual(['job 0 is lost', 'job 1 is lost', 'job 2 is lost']);
  });

  it('a job that kills them at once takes none with it that was taken beside it', async () => {
    const start = await dyingWorkers(2);
    expect((await start([4], 4)).taken).toEqual(['job 0', 'job 1', 'job 2', 'job 3']);
    for (let deaths = 0; deaths < 2; deaths++) expect((await start([4])).taken).toEqual(['job 0']);
    const last = await start([4, 4, 4, 4]);
    expect(last.taken).toEqual(['job 0 is lost', 'job 1', 'job 2', 'job 3']);
  });

  it('jobs whose leases were renewed are known to have been started', async () => {
    const start = await dyingWorkers(1);
    const { worker } = await start([4], 2);
    await worker.clock.advance(LEASE / 2);
    const second = await start([4, 4]);
    expect(second.taken).toEqual(['job 0', 'job 1']);
    expect((await start([4, 4])).taken).toEqual(['job 0 is lost', 'job 1 is lost']);
  });

  it('with maxRescues 0, nothing is taken ahead, and what was taken never starts twice', async () => {
    const start = await dyingWorkers(0);
    const { worker, taken } = await start([1, 1, 1, 2], 8);
    expect(taken).toHaveLength(5);
    expect(worker.store.pendingCount()).toBe(3);
    const lost = Array.from({ length: 5 }, (_, n) => `job ${n} is lost`);
    expect((await start([4, 4, 4, 4, 4, 1])).taken).toEqual([...lost, 'job 5']);
  });

  it('one that was merely late keeps what it has not started yet, uncounted', async () => {
    const { file, first, second } = await two({ maxRescues: 1 });
    await submitMany(first, [newJob(), newJob()]);
    const attempts = await claim(first, 2);
    await second.clock.advance(2 * LEASE);
    expect(second.store.pendingCount()).toBe(2);
    await first.clock.advance(LEASE / 2);
    expect(first.lost).toEqual([]);
    expect(second.store.pendingCount()).toBe(0);
    for (const attempt of attempts)
      expect(await first.store.settle(attempt, { kind: 'released', delay: 0 }, 0)).toBe(true);
    const third = await openStore({ file, lease: LEASE, maxRescues: 1 });
    expect(await claim(third, 2)).toMatchObject([{ row: { rescues: 0 } }, { row: { rescues: 0 } }]);
  });
});

it('a lease begins when it is given, however long the file was locked before', async () => {
  const file = tempFile();
  const worker = await openStore({ file, lease: LEASE });
  await submit(worker);
  const other = (await loadDriver(DRIVER)).open(file);
  other.exec('BEGIN IMMEDIATE');
  const claiming = claim(worker);
  worker.clock.sleep(5 * LEASE);
  other.exec('COMMIT');
  other.close();
  const [attempt] = (await claiming) as [Attempt];
  const second = await openStore({ file, lease: LEASE }, {}, worker.clock.now());
  await second.clock.advance(LEASE - 1);
  expect(await claim(second)).toEqual([]);
  expect(await worker.store.settle(attempt, SUCCESS, worker.clock.now())).toBe(true);
});

describe('a file that another program has held for longer than a lease: its owners, who could not renew, keep their jobs', () => {
  it('though those that would take over were refused meanwhile', async () => {
    const file = tempFile();
    const first = await openStore({ file, lease: LEASE, lockTimeout: 1 });
    const second = await openStore({ file, lease: LEASE, lockTimeout: 1 });
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    // Until after the lease, when the other process tries to take over, and is refused.
    for (const { clock } of [first, second]) await clock.advance(1.5 * LEASE);
    const refused = second.store.insert(newJob(), 0);
    await expect(refused).rejects.toThrow(/locked/);
    other.exec('COMMIT');
    other.close();
    await second.clock.advance(LEASE / 5);
    expect(await claim(second)).toEqual([]);
    await first.clock.advance(LEASE / 5);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
    expect(first.lost).toEqual([]);
  });

  it('though those that would take over have only just begun to wait', async () => {
    const { file, first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    await second.clock.advance(1.1 * LEASE);
    other.exec('COMMIT');
    other.close();
    // What waited before is written before.
    await second.store.control.resume('q');
    expect(await claim(second)).toEqual([]);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });
});

it('a process with shorter leases leaves the longer ones of others alone', async () => {
  const file = tempFile();
  const owner = await openStore({ file, lease: 10 * LEASE });
  const hasty = await openStore({ file, lease: LEASE });
  await submit(owner);
  const [attempt] = (await claim(owner)) as [Attempt];
  for (let round = 0; round < 20; round++) {
    await hasty.clock.advance(LEASE / 2);
    await owner.clock.advance(LEASE / 2);
    expect(await claim(hasty)).toEqual([]);
  }
  expect(await owner.store.settle(attempt, SUCCESS, owner.clock.now())).toBe(true);
});

it('what was taken ahead is not started once its lease has ended', async () => {
  const { first, second } = await two();
  await submitMany(
    first,
    Array.from({ length: 8 }, () => newJob()),
  );
  for (let n = 0; n < 2; n++) await claim(first);
  // The process stands still, and wakes up again after another one has taken over.
  await second.clock.advance(2 * LEASE);
  const others: Attempt[] = [];
  for (let some = await claim(second, 8); some.length > 0; some = await claim(second, 8))
    others.push(...some);
  first.clock.sleep(2 * LEASE);
  const mine = await claim(first, 8);
  expect(new Set([...mine, ...others].map(({ taskId }) => taskId)).size).toBe(mine.length + others.length);
});

describe('when the clock is set', () => {
  it('forward: no job runs twice, since its owner has time to renew', async () => {
    const { first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    for (const { clock } of [first, second]) clock.jump(3_600_000);
    for (let round = 0; round < 10; round++) {
      await second.clock.advance(LEASE / 5);
      expect(await claim(second)).toEqual([]);
      await first.clock.advance(LEASE / 5);
    }
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });

  it('forward: the job of a dead worker is taken over one lease later', async () => {
    const { first, second } = await two();
    await submit(first);
    await claim(first);
    second.clock.jump(3_600_000);
    await second.clock.advance(LEASE);
    expect(await claim(second)).toEqual([]);
    await second.clock.advance(LEASE / 2);
    expect(await claim(second)).toHaveLength(1);
  });

  it('forward, just before another process starts: it gives owners the time to renew', async () => {
    const file = tempFile();
    const owner = await openStore({ file, lease: LEASE });
    await submit(owner);
    await claim(owner);
    owner.clock.jump(3_600_000);
    const late = await openStore({ file, lease: LEASE }, {}, owner.clock.now());
    await late.clock.advance(LEASE / 10);
    expect(await claim(late)).toEqual([]);
    await owner.clock.advance(LEASE / 2);
    await late.clock.advance(LEASE / 2);
    expect(await claim(late)).toEqual([]);
  });

  it('forward, while a process waits to look for dead workers: it gives owners the time to renew', async () => {
    const { file, first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    await second.clock.advance(LEASE / 5);
    for (const { clock } of [first, second]) clock.jump(3_600_000);
    other.exec('COMMIT');
    other.close();
    // What waited before is written before.
    await second.store.control.resume('q');
    expect(await claim(second)).toEqual([]);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });

  it('back: no job runs twice, since its owner goes on renewing', async () => {
    const { first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    for (const { clock } of [first, second]) clock.jump(-3_600_000);
    for (let round = 0; round < 20; round++) {
      await second.clock.advance(LEASE / 5);
      expect(await claim(second)).toEqual([]);
      await first.clock.advance(LEASE / 5);
    }
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });

  it('back: the job of a dead worker is taken over one lease later', async () => {
    const { first, second } = await two();
    await submit(first);
    await claim(first);
    second.clock.jump(-3_600_000);
    await second.clock.advance(LEASE / 2);
    expect(await claim(second)).toEqual([]);
    await second.clock.advance(LEASE);
    expect(await claim(second)).toHaveLength(1);
  });
});

it('an attempt that has ended keeps its lease until its outcome is in the file', async () => {
  const { first, second } = await two();
  const id = await submit(first);
  const [attempt] = (await claim(first)) as [Attempt];
  for (let round = 0; round < 6; round++) {
    await first.clock.advance(LEASE / 2);
    await second.clock.advance(LEASE / 2);
  }
  expect(await claim(second)).toEqual([]);
  expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  await settle();
  expect(second.store.results.get(id)).toMatchObject({ result: 'done' });
});

it('a worker that stood still keeps a job that has been put back and that nobody else has taken', async () => {
  const { first, second } = await two();
  const ids = [await submit(first), await submit(first)];
  const [running, ended] = (await claim(first, 2)) as [Attempt, Attempt];
  await second.clock.advance(2 * LEASE);
  expect(second.store.pendingCount()).toBe(2);
  first.clock.sleep(2 * LEASE);
  expect(await first.store.settle(ended, SUCCESS, first.clock.now())).toBe(true);
  // It does not take the other one over from itself, either.
  expect(await claim(first)).toEqual([]);
  expect(first.lost).toEqual([]);
  expect(await first.store.settle(running, SUCCESS, first.clock.now())).toBe(true);
  for (const id of ids) expect(second.store.results.get(id)?.status).toBe('success');
  expect(second.store.pendingCount()).toBe(0);
});

it.each([
  { kind: 'snoozed', delay: 60_000 },
  { kind: 'snoozed', delay: 0 },
  { kind: 'released', delay: 0 },
] as const)(
  'what a worker has put back itself ($kind) it does not take back with a late renewal',
  async (outcome) => {
    const { first } = await two();
    const id = await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    await first.store.settle(attempt, outcome, first.clock.now());
    const { file } = first.store as unknown as { file: JobsFile };
    expect(await file.commit.write(() => file.leases.renew(attempt as SqliteAttempt, Infinity))).toBe(false);
    expect(first.store.results.get(id)?.status).toBe('pending');
  },
);
