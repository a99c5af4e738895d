import { jest } from '@jest/globals';
import { PostgresServer } from '../../lib/engine/bullmq/server/postgres-server.js';
import { Gate } from '../support/gate.js';
import { DirectBed } from './support/direct-bed.js';

const bed = await DirectBed.open();
afterAll(() => bed.close());
afterEach(() => jest.restoreAllMocks());

const MANY = Array.from({ length: 50 }, (_, n): [string] => [`many ${n}`]);

/** A worker, a producer, and a transaction with jobs of their queue that stays open until `commit`. */
async function hold() {
  const worker = await bed.start();
  const producer = await bed.start({ role: 'producer' }, { prefix: worker.storage });
  const { flowrra, work } = producer;
  const commit = new Gate();
  const added = new Gate<{ ids: string[]; locks: number }>();
  const held = bed.transaction(async (tx) => {
    const one = await flowrra.within(tx).submit(work.note, 'held');
    const many = await flowrra.within(tx).submitMany(
      work.note,
      Array.from({ length: 50 }, (_, n) => [`held ${n}`]),
    );
    const { rows } = await tx.query<{ count: string }>(
      `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND pid = pg_backend_pid()`,
    );
    added.open({ ids: [one, ...many], locks: Number(rows[0]?.count) });
    await commit.passed;
  });
  held.catch(added.fail);
  const { ids, locks } = await added.passed;
  // Otherwise it would be no test: the lock keeps BullMQ from notifying the listeners of the queue.
  expect(locks).toBe(1);
  const ran = (): string[] => worker.work.ran.filter((name) => name.startsWith('held'));
  return { worker, producer, ids, ran, end: () => (commit.open(), held) };
}

describe('while a transaction with jobs of a queue stays open', () => {
  it('other submissions of the queue are accepted and run, and waits for them end', async () => {
    const { worker, producer, ids, ran, end } = await hold();
    const { flowrra, work } = producer;
    const others = [
      await flowrra.submit(work.note, 'plain'),
      await worker.flowrra.submit(work.note, 'at the worker'),
      await flowrra.with({ priority: 3 }).submit(work.note, 'by priority'),
      await flowrra.with({ delay: 20 }).submit(work.note, 'delayed'),
      await flowrra.with({ dedupe: { key: 'k' } }).submit(work.note, 'with a key'),
      await flowrra.with({ taskId: 'mine', tags: ['a'] }).submit(work.note, 'with an id'),
      ...(await flowrra.submitMany(work.note, MANY)),
      await bed.transaction((tx) => flowrra.within(tx).submit(work.note, 'direct')),
      ...(await bed.transaction((tx) => flowrra.within(tx).submitMany(work.note, MANY))),
    ];
    const results = await Promise.all(others.map((taskId) => flowrra.waitForResult(taskId)));
    expect(results.map(({ status }) => status)).toEqual(others.map(() => 'success'));
    await Promise.all(others.map((taskId) => worker.flowrra.waitForResult(taskId)));
    expect(ran()).toEqual([]);
    await end();
    await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
    expect(ran()).toHaveLength(ids.length);
  });

  it('jobs are cancelled, retried and removed, and the queue is paused and resumed', async () => {
    const { producer, worker, ids, end } = await hold();
    const { flowrra, work } = producer;
    await flowrra.queues.pause('default');
    const cancelled = await flowrra.submit(work.note, 'cancelled');
    await flowrra.cancel(cancelled);
    expect(await flowrra.waitForResult(cancelled)).toMatchObject({ status: 'cancelled' });
    const kept = await flowrra.submit(work.note, 'kept');
    await flowrra.queues.resume('default');
    expect(await flowrra.waitForResult(kept)).toMatchObject({ status: 'success' });
    expect(await flowrra.jobs.remove(kept)).toBe(true);
    await end();
    await Promise.all(ids.map((taskId) => worker.flowrra.waitForResult(taskId)));
  });
});

it('a wait ends though no event arrives', async () => {
  const silent = { on: () => undefined, waitUntilReady: async () => undefined, close: async () => undefined };
  jest.spyOn(PostgresServer.prototype, 'events').mockImplementation(() => silent);
  const { producer, ids, end } = await hold();
  const { flowrra, work } = producer;
  const waiting = flowrra.waitForResult(await flowrra.submit(work.note, 'a'));
  expect(await waiting).toMatchObject({ status: 'success' });
  await end();
  await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
});
