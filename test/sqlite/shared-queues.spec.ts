import type { Attempt } from '../../lib/job/job.js';
import type { ResolvedQueue } from '../../lib/job/queue.js';
import { settle } from '../support/manual-clock.js';
import { tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { claim, newJob, openStore, type OpenStore, submit, submitMany } from './stores.js';

const LEASE = 10_000;
const SUCCESS = { kind: 'success', result: 1 } as const;

/** Processes that share a file and the settings of its queue; each checks for changes every millisecond. */
async function processes(count: number, queue: Partial<ResolvedQueue> = {}, file = tempFile()) {
  const stores: OpenStore[] = [];
  while (stores.length < count)
    stores.push(await openStore({ file, lease: LEASE, pollInterval: 1 }, {}, undefined, queue));
  return stores;
}

const jobs = (count: number) => Array.from({ length: count }, () => newJob());

async function finish({ store, clock }: OpenStore, attempts: readonly Attempt[]): Promise<void> {
  for (const attempt of attempts) await store.settle(attempt, SUCCESS, clock.now());
}

describe('fleetConcurrency', () => {
  it('holds for all processes together, however they race', async () => {
    const stores = await processes(3, { fleetConcurrency: 4 });
    await submitMany(stores[0] as OpenStore, jobs(40));
    let [most, done] = [0, 0];
    const running = new Set<Attempt>();
    const work = async (worker: OpenStore): Promise<void> => {
      while (done < 40) {
        const some = await claim(worker, 3);
        for (const attempt of some) running.add(attempt);
        most = Math.max(most, running.size);
        await new Promise((resolve) => setImmediate(resolve));
        for (const attempt of some) running.delete(attempt);
        await finish(worker, some);
        done += some.length;
      }
    };
    await Promise.all(stores.map(work));
    expect(most).toBe(4);
  });

  it('a process that waits for a place is notified when any process frees one', async () => {
    const [first, second] = (await processes(2, { fleetConcurrency: 1 })) as [OpenStore, OpenStore];
    await submitMany(first, jobs(3));
    const attempts = await claim(first, 2);
    expect(attempts).toHaveLength(1);
    for (const worker of [first, second]) {
      expect(worker.store.nextDue('q')).toBeNull();
      expect(await claim(worker)).toEqual([]);
    }
    await settle();
    const before = [first.changes, second.changes];
    await finish(first, attempts);
    expect(first.changes).toBeGreaterThan(before[0] as number);
    await until(() => second.changes > (before[1] as number), { describe: 'the second process is notified' });
    expect(second.store.nextDue('q')).toBe(0);
    expect(await claim(second, 2)).toHaveLength(1);
  });

  it('no jobs are prefetched, so that no process holds a place without using it', async () => {
    const [first, second] = (await processes(2, { fleetConcurrency: 10 })) as [OpenStore, OpenStore];
    const ids = await submitMany(first, jobs(30));
    for (let n = 0; n < 8; n++) await claim(first);
    expect(second.store.results.get(ids[8] as string)?.status).toBe('pending');
    expect(await claim(second, 5)).toHaveLength(2);
  });

  it('the place of a dead worker is free once its lease has ended', async () => {
    const [dead, living] = (await processes(2, { fleetConcurrency: 1 })) as [OpenStore, OpenStore];
    await submitMany(dead, jobs(2));
    const [attempt] = await claim(dead);
    expect(await claim(living)).toEqual([]);
    await living.store.control.cancel(attempt?.taskId as string, 'with its worker');
    const before = living.changes;
    await living.clock.advance(2 * LEASE);
    expect(living.changes).toBeGreaterThan(before);
    expect(await claim(living)).toHaveLength(1);
  });
});

describe('fleetRateLimit', () => {
  const RATE = { fleetRateLimit: { max: 3, per: 1_000 } };

  it('counts starts of all processes from the first one, and nextDue tells the end of the window', async () => {
    const file = tempFile();
    const [first, second] = (await processes(2, RATE, file)) as [OpenStore, OpenStore];
    await submitMany(first, jobs(10));
    const began = first.clock.now();
    expect(await claim(first, 2)).toHaveLength(2);
    for (const { clock } of [first, second]) await clock.advance(400);
    expect(await claim(second, 5)).toHaveLength(1);
    for (const worker of [first, second]) {
      expect(worker.store.nextDue('q')).toBe(began + 1_000);
      expect(await claim(worker)).toEqual([]);
      await worker.clock.advance(599);
      expect(await claim(worker)).toEqual([]);
      await worker.clock.advance(1);
    }
    expect(await claim(first, 5)).toHaveLength(3);
    expect(second.store.nextDue('q')).toBe(began + 2_000);
    // The window is stored in the file, so it holds for a new process as well.
    const [third] = (await processes(1, RATE, file)) as [OpenStore];
    third.clock.jump(first.clock.now() - third.clock.now());
    expect(await claim(third, 5)).toEqual([]);
    await third.clock.advance(1_000);
    expect(await claim(third, 5)).toHaveLength(3);
  });

  it('nextDue is the later of due time and end of the window, and null without jobs', async () => {
    const [worker] = (await processes(1, RATE)) as [OpenStore];
    await submitMany(worker, jobs(3));
    await claim(worker, 3);
    expect(worker.store.nextDue('q')).toBeNull();
    const now = worker.clock.now();
    await submit(worker, { delay: 5_000 });
    expect(worker.store.nextDue('q')).toBe(now + 5_000);
    await submit(worker, { delay: 500 });
    expect(worker.store.nextDue('q')).toBe(now + 1_000);
  });

  it('a clock that is set back does not extend a window', async () => {
    const [worker] = (await processes(1, RATE)) as [OpenStore];
    await submitMany(worker, jobs(9));
    expect(await claim(worker, 9)).toHaveLength(3);
    worker.clock.jump(-3_600_000);
    expect(worker.store.nextDue('q')).toBe(0);
    expect(await claim(worker, 9)).toHaveLength(3);
    expect(await claim(worker, 9)).toEqual([]);
  });

  it('an empty claim does not begin a window', async () => {
    const [worker] = (await processes(1, RATE)) as [OpenStore];
    expect(await claim(worker, 9)).toEqual([]);
    await worker.clock.advance(900);
    await submitMany(worker, jobs(9));
    expect(await claim(worker, 9)).toHaveLength(3);
    await worker.clock.advance(200);
    expect(await claim(worker, 9)).toEqual([]);
  });
});

describe('a paused queue', () => {
  it('starts no jobs in any process once `pause` has resolved', async () => {
    const [first, second] = (await processes(2)) as [OpenStore, OpenStore];
    await submitMany(first, jobs(5));
    await first.store.control.pause('q');
    for (const worker of [first, second]) {
      expect(await claim(worker, 5)).toEqual([]);
      expect(worker.store.nextDue('q')).toBeNull();
    }
    const before = second.changes;
    await first.store.control.resume('q');
    expect(first.store.nextDue('q')).toBe(0);
    await until(() => second.changes > before, { describe: 'the second process is notified' });
    expect(second.store.nextDue('q')).toBe(0);
    expect(await claim(second, 5)).toHaveLength(5);
  });

  it('is paused for a claim that is under way, too', async () => {
    const [worker] = (await processes(1)) as [OpenStore];
    await submitMany(worker, jobs(5));
    const pausing = worker.store.control.pause('q');
    const claimed = await claim(worker, 5);
    await pausing;
    expect(claimed).toEqual([]);
    expect(worker.store.pendingCount()).toBe(5);
  });

  it('gets unstarted prefetched jobs back, from this process and from others', async () => {
    const file = tempFile();
    const [first, second] = (await processes(2, {}, file)) as [OpenStore, OpenStore];
    for (const pauses of [first, second]) {
      const ids = await submitMany(first, jobs(30));
      for (let n = 0; n < 4; n++) await claim(first);
      expect(second.store.results.get(ids[4] as string)?.status).toBe('running');
      await pauses.store.control.pause('q');
      const isPending = (): boolean => second.store.results.get(ids[4] as string)?.status === 'pending';
      await until(isPending, { describe: 'the second process sees the last job' });
      expect(await claim(first, 30)).toEqual([]);
      expect(second.store.pendingCount()).toBe(26);
      await pauses.store.control.resume('q');
      await until(() => second.store.nextDue('q') === 0, { describe: 'the queue has work again' });
      expect(await claim(second, 30)).toHaveLength(26);
    }
  });

  it('is paused for a process that has not checked yet: prefetched jobs start soon or not at all', async () => {
    const file = tempFile();
    const worker = await openStore({ file, pollInterval: 60_000 });
    const operator = await openStore({ file });
    await submitMany(worker, jobs(30));
    for (let n = 0; n < 4; n++) await claim(worker);
    await operator.store.control.pause('q');
    // The process is suspended for a moment, so that no timer has released them.
    worker.clock.sleep(11);
    expect(await claim(worker, 30)).toEqual([]);
    await settle();
    expect(operator.store.pendingCount()).toBe(26);
  });

  it('does not affect other queues or running jobs', async () => {
    const [worker] = (await processes(1)) as [OpenStore];
    await submit(worker);
    const running = await claim(worker);
    await worker.store.control.pause('q');
    await submit(worker, { queue: 'other' });
    expect(await worker.store.claim('other', 1, worker.clock.now())).toHaveLength(1);
    await finish(worker, running);
    expect(worker.store.results.get(running[0]?.taskId as string)?.status).toBe('success');
  });
});
