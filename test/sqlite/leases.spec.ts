import type { Attempt } from '../../lib/job/job.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import type { JobsFile } from '../../lib/engine/sqlite/file/jobs-file.js';
import type { SqliteAttempt } from '../../lib/engine/sqlite/sql/sqlite-attempt.js';
import { settle } from '../support/manual-clock.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { claim, newJob, openStore, submit, submitMany } from './stores.js';

const LEASE = 10_000;
const CURRENT = { kind: 'success', result: 'current' } as const;
const SUCCESS = { kind: 'success', result: 'done' } as const;

async function two(options: { maxRescues?: number } = {}) {
  const file = tempFile();
  const first = await openStore({ file, lease: LEASE, ...options });
  const second = await openStore({ file, lease: LEASE, ...options });
  return { file, first, second };
}

it('a job belongs to its worker until the lease ends, and then to the next worker', async () => {
  const { first, second } = await two();
  await submit(first);
  const [attempt] = await claim(first);
  await second.clock.advance(LEASE - 1);
  expect(await claim(second)).toEqual([]);
  await second.clock.advance(LEASE / 5);
  const [again] = await claim(second);
  expect(again).toMatchObject({ taskId: attempt?.taskId, retries: 0, errors: [], lost: false });
});

it('an outcome with a stale token changes nothing', async () => {
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
  expect(await second.store.settle(current, CURRENT, second.clock.now())).toBe(true);
  expect(second.store.results.get(id)).toMatchObject({ status: 'success', result: 'current' });
});

it('a living worker renews its leases, however long its jobs run', async () => {
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

it('a worker that renews too late gets `lost` for a job that was claimed over', async () => {
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

it('a worker that renews late keeps the jobs that no other worker has claimed', async () => {
  const { first } = await two();
  await submit(first);
  const [attempt] = (await claim(first)) as [Attempt];
  first.clock.jump(5 * LEASE);
  await first.clock.advance(LEASE);
  expect(await claim(first)).toEqual([]);
  expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
});

it('a job that was rescued more often than maxRescues is claimed as lost', async () => {
  const file = tempFile();
  const seen: boolean[] = [];
  for (let round = 0; round < 4; round++) {
    const worker = await openStore({ file, lease: LEASE, maxRescues: 2 });
    if (round === 0) await submit(worker);
    await worker.clock.advance(2 * LEASE * round);
    const [attempt] = (await claim(worker)) as [Attempt];
    seen.push(attempt.lost);
    // Its clock stands still from here on: the worker is dead.
  }
  expect(seen).toEqual([false, false, false, true]);
});

it('a rescued job is never prefetched, so that no other job is suspected if the worker dies', async () => {
  const { first, second } = await two();
  const rescued = await submit(first, { priority: 5 });
  await claim(first);
  await second.clock.advance(2 * LEASE);
  const others = await submitMany(
    second,
    Array.from({ length: 10 }, () => newJob()),
  );
  for (const id of others) expect(await claim(second)).toMatchObject([{ taskId: id }]);
  expect(first.store.results.get(rescued)?.status).toBe('pending');
  expect(await claim(second)).toMatchObject([{ taskId: rescued, lost: false }]);
});

describe('when workers die', () => {
  /** Starts a worker that claims the given numbers of jobs, and whose clock stands still afterwards. */
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
      const claimed: string[] = [];
      for (const limit of claims)
        for (const { taskName, lost } of await claim(worker, limit))
          claimed.push(lost ? `${taskName} is lost` : taskName);
      return { worker, claimed };
    };
  }

  it('a prefetched job counts only if it was started', async () => {
    const start = await dyingWorkers(1);
    const first = await start([1, 1], 3);
    expect(first.claimed).toEqual(['job 0', 'job 1']);
    expect(first.worker.store.pendingCount()).toBe(1);
    expect((await start([1, 1, 1])).claimed).toEqual(['job 0', 'job 1', 'job 2']);
    expect((await start([1, 1, 1])).claimed).toEqual(['job 0 is lost', 'job 1 is lost', 'job 2']);
    expect((await start([1, 1, 1])).claimed).toEqual(['job 0 is lost', 'job 1 is lost', 'job 2 is lost']);
  });

  it('a job that kills its worker at once does not count against jobs of the same claim', async () => {
    const start = await dyingWorkers(2);
    expect((await start([4], 4)).claimed).toEqual(['job 0', 'job 1', 'job 2', 'job 3']);
    for (let deaths = 0; deaths < 2; deaths++) expect((await start([4])).claimed).toEqual(['job 0']);
    const last = await start([4, 4, 4, 4]);
    expect(last.claimed).toEqual(['job 0 is lost', 'job 1', 'job 2', 'job 3']);
  });

  it('jobs whose leases were renewed count as started', async () => {
    const start = await dyingWorkers(1);
    const { worker } = await start([4], 2);
    await worker.clock.advance(LEASE / 2);
    const second = await start([4, 4]);
    expect(second.claimed).toEqual(['job 0', 'job 1']);
    expect((await start([4, 4])).claimed).toEqual(['job 0 is lost', 'job 1 is lost']);
  });

  it('with maxRescues 0, no jobs are prefetched, and a claimed job never starts twice', async () => {
    const start = await dyingWorkers(0);
    const { worker, claimed } = await start([1, 1, 1, 2], 8);
    expect(claimed).toHaveLength(5);
    expect(worker.store.pendingCount()).toBe(3);
    const lost = Array.from({ length: 5 }, (_, n) => `job ${n} is lost`);
    expect((await start([4, 4, 4, 4, 4, 1])).claimed).toEqual([...lost, 'job 5']);
  });

  it('a worker that renews late keeps its unstarted jobs, and the rescue is not counted', async () => {
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

it('a lease starts when it is written, however long the file was locked before', async () => {
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

describe('owners keep their jobs after a file was locked for longer than a lease', () => {
  it('if the writes of the other process were rejected meanwhile', async () => {
    const file = tempFile();
    const first = await openStore({ file, lease: LEASE, lockTimeout: 1 });
    const second = await openStore({ file, lease: LEASE, lockTimeout: 1 });
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    // Until after the lease: the other process tries a rescue, and its write is rejected.
    for (const { clock } of [first, second]) await clock.advance(1.5 * LEASE);
    const rejected = second.store.insert(newJob(), 0);
    await expect(rejected).rejects.toThrow(/locked/);
    other.exec('COMMIT');
    other.close();
    await second.clock.advance(LEASE / 5);
    expect(await claim(second)).toEqual([]);
    await first.clock.advance(LEASE / 5);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
    expect(first.lost).toEqual([]);
  });

  it('if the other process has only just begun to wait', async () => {
    const { file, first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    await second.clock.advance(1.1 * LEASE);
    other.exec('COMMIT');
    other.close();
    // Writes are made in the order of their calls.
    await second.store.control.resume('q');
    expect(await claim(second)).toEqual([]);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });
});

it('a process with short leases does not shorten the longer leases of others', async () => {
  const file = tempFile();
  const owner = await openStore({ file, lease: 10 * LEASE });
  const short = await openStore({ file, lease: LEASE });
  await submit(owner);
  const [attempt] = (await claim(owner)) as [Attempt];
  for (let round = 0; round < 20; round++) {
    await short.clock.advance(LEASE / 2);
    await owner.clock.advance(LEASE / 2);
    expect(await claim(short)).toEqual([]);
  }
  expect(await owner.store.settle(attempt, SUCCESS, owner.clock.now())).toBe(true);
});

it('a prefetched job is not started once its lease has ended', async () => {
  const { first, second } = await two();
  await submitMany(
    first,
    Array.from({ length: 8 }, () => newJob()),
  );
  for (let n = 0; n < 2; n++) await claim(first);
  // The process is suspended, and resumes after another one has claimed over.
  await second.clock.advance(2 * LEASE);
  const others: Attempt[] = [];
  for (let some = await claim(second, 8); some.length > 0; some = await claim(second, 8))
    others.push(...some);
  first.clock.sleep(2 * LEASE);
  const own = await claim(first, 8);
  expect(new Set([...own, ...others].map(({ taskId }) => taskId)).size).toBe(own.length + others.length);
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

  it('forward: the job of a dead worker is claimed over one lease later', async () => {
    const { first, second } = await two();
    await submit(first);
    await claim(first);
    second.clock.jump(3_600_000);
    await second.clock.advance(LEASE);
    expect(await claim(second)).toEqual([]);
    await second.clock.advance(LEASE / 2);
    expect(await claim(second)).toHaveLength(1);
  });

  it('forward, just before another process starts: owners get the time to renew', async () => {
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

  it('forward, while a process waits for a rescue: owners get the time to renew', async () => {
    const { file, first, second } = await two();
    await submit(first);
    const [attempt] = (await claim(first)) as [Attempt];
    const other = (await loadDriver(DRIVER)).open(file);
    other.exec('BEGIN IMMEDIATE');
    await second.clock.advance(LEASE / 5);
    for (const { clock } of [first, second]) clock.jump(3_600_000);
    other.exec('COMMIT');
    other.close();
    // Writes are made in the order of their calls.
    await second.store.control.resume('q');
    expect(await claim(second)).toEqual([]);
    expect(await first.store.settle(attempt, SUCCESS, first.clock.now())).toBe(true);
  });

  it('back: no job runs twice, since its owner continues to renew', async () => {
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

  it('back: the job of a dead worker is claimed over one lease later', async () => {
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

it('an attempt that has ended keeps its lease until its outcome is stored', async () => {
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

it('a worker that was suspended keeps a rescued job that no other worker has claimed', async () => {
  const { first, second } = await two();
  const ids = [await submit(first), await submit(first)];
  const [running, ended] = (await claim(first, 2)) as [Attempt, Attempt];
  await second.clock.advance(2 * LEASE);
  expect(second.store.pendingCount()).toBe(2);
  first.clock.sleep(2 * LEASE);
  expect(await first.store.settle(ended, SUCCESS, first.clock.now())).toBe(true);
  // It does not claim its other job again, either.
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
  'a late renewal does not claim a job again that its worker has settled ($kind)',
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
