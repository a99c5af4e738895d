import type { JobSummary } from '../../lib/index.js';
import type { Bed, Beds } from './engine-under-test.js';
import { startMixed } from './mixed-tasks.js';

/** Looking at jobs, and forgetting them. */
export function jobsCases(beds: Beds): void {
  /** Every job that a query finds, however many pages that takes. */
  async function findAll({ flowrra }: Pick<Bed, 'flowrra'>, query: object): Promise<JobSummary[]> {
    const found: JobSummary[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await flowrra.jobs.find({ ...query, ...(cursor !== undefined && { cursor }) });
      found.push(...page.jobs);
      ({ cursor } = page);
    }
    return found;
  }

  const ids = (jobs: readonly JobSummary[]): string[] => jobs.map(({ taskId }) => taskId).sort();

  it('finds jobs by status, task, queue and time, and counts them', async () => {
    const bed = await startMixed(beds, { numWorkers: 1 });
    const { flowrra, mixed, advance, clock } = bed;
    const fine = await flowrra.submitMany(mixed.fine, [[1], [2], [3]]);
    const broken = await flowrra.submit(mixed.broken, { id: 17 });
    await Promise.all(fine.map((id) => flowrra.waitForResult(id)));
    await advance(1_000);
    const later = new Date(clock.now());
    const running = await flowrra.submit(mixed.hold);
    await advance(0);
    const waiting = await flowrra.with({ metadata: { by: 'ada' }, priority: 3 }).submit(mixed.fine, 4);
    const delayed = await flowrra.with({ delay: '1h' }).submit(mixed.broken, { id: 18 });
    const cancelled = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 5);
    await flowrra.cancel(cancelled);
    await advance(1_000);

    const find = async (query: object) => ids(await findAll(bed, query));
    expect(await find({})).toEqual([...fine, broken, running, waiting, delayed, cancelled].sort());
    expect(await find({ status: 'success' })).toEqual([...fine].sort());
    expect(await find({ status: ['failed', 'running'] })).toEqual([broken, running].sort());
    expect(await find({ status: 'pending' })).toEqual([waiting, delayed].sort());
    expect(await find({ status: 'cancelled' })).toEqual([cancelled]);
    expect(await find({ task: 'Mixed.broken' })).toEqual([broken, delayed].sort());
    expect(await find({ queue: 'other', status: 'failed' })).toEqual([broken]);
    expect(await find({ from: later })).toEqual([running, waiting, delayed, cancelled].sort());
    expect(await find({ to: later, task: 'Mixed.fine' })).toEqual([...fine].sort());
    expect(await find({ task: 'Mixed.none' })).toEqual([]);

    const [job] = await findAll(bed, { status: 'pending', queue: 'default' });
    expect(job).toMatchObject({
      taskId: waiting,
      taskName: 'Mixed.fine',
      queue: 'default',
      priority: 3,
      metadata: { by: 'ada' },
      dueAt: null,
      status: 'pending',
    });
    const [due] = await findAll(bed, { status: 'pending', queue: 'other' });
    expect(due?.dueAt?.getTime()).toBe((due?.submittedAt.getTime() ?? 0) + 3_600_000);
    const counts = await flowrra.jobs.counts();
    expect(counts.find(({ queue }) => queue === 'default')).toEqual({
      queue: 'default',
      paused: false,
      pending: 1,
      retrying: 0,
      suspended: 0,
      running: 1,
      success: 3,
      failed: 0,
      cancelled: 1,
    });
    expect(counts.find(({ queue }) => queue === 'other')).toMatchObject({
      pending: 1,
      failed: 1,
      success: 0,
    });
    expect(counts.map(({ queue }) => queue)).toEqual(expect.arrayContaining(['default', 'cpu', 'other']));
  });

  it('finds the jobs that ended before a time, and none that goes on', async () => {
    const bed = await startMixed(beds, { numWorkers: 1 });
    const { flowrra, mixed, advance, clock } = bed;
    const fine = await flowrra.submit(mixed.fine, 1);
    const broken = await flowrra.submit(mixed.broken, { id: 17 });
    const cancelled = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 2);
    const putOff = await flowrra.submit(mixed.failsThenSnoozes);
    const delayed = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 3);
    await flowrra.cancel(cancelled);
    await advance(1_000);
    const running = await flowrra.submit(mixed.hold);
    await advance(1_000);
    const ended = await Promise.all([fine, broken, cancelled].map((id) => flowrra.getResult(id)));
    const ends = ended.map((result) => result?.finishedAt?.getTime() ?? NaN);

    const find = async (query: object) => ids(await findAll(bed, query));
    const later = new Date(clock.now() + 1);
    expect(await find({ finishedBefore: later })).toEqual([fine, broken, cancelled].sort());
    expect(await find({ finishedBefore: later, status: ['success', 'running'] })).toEqual([fine]);
    expect(await find({ finishedBefore: later, status: ['pending', 'retrying', 'running'] })).toEqual([]);
    expect(await find({ finishedBefore: new Date(Math.min(...ends)) })).toEqual([]);
    expect(await find({ status: ['pending', 'retrying', 'running'] })).toEqual(
      [putOff, delayed, running].sort(),
    );
  });

  it('what waits and has failed before is to be retried, also if it was put off since', async () => {
    const bed = await startMixed(beds);
    const { flowrra, mixed, advance } = bed;
    const id = await flowrra.submit(mixed.failsThenSnoozes);
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'retrying', retries: 1 });
    expect(ids(await findAll(bed, { status: 'retrying' }))).toEqual([id]);
    expect(await findAll(bed, { status: 'pending' })).toEqual([]);
    expect(await flowrra.cancel(id)).toBe(true);
    expect(await flowrra.pendingCount()).toBe(0);
  });

  it('a delay for ever is shown as the last day there is', async () => {
    const { flowrra, mixed } = await startMixed(beds);
    const id = await flowrra.with({ delay: Number.MAX_SAFE_INTEGER }).submit(mixed.fine, 1);
    const shown = JSON.parse(JSON.stringify(await flowrra.jobs.get(id))) as { dueAt: string };
    expect(shown.dueAt).toBe(new Date(8.64e15).toISOString());
    expect(await flowrra.cancel(id)).toBe(true);
  });

  it('pages hold no more than was asked for, and each job once', async () => {
    const bed = await startMixed(beds);
    const { flowrra, mixed } = bed;
    const submitted = await flowrra.submitMany(
      mixed.fine,
      Array.from({ length: 45 }, (_, n): [number] => [n]),
    );
    await Promise.all(submitted.map((id) => flowrra.waitForResult(id)));
    const first = await flowrra.jobs.find({ limit: 10 });
    expect(first.jobs.length).toBeLessThanOrEqual(10);
    expect(ids(await findAll(bed, { limit: 10 }))).toEqual([...submitted].sort());
    expect(ids(await findAll(bed, { limit: 7, status: 'success', queue: 'default' }))).toEqual(
      [...submitted].sort(),
    );
  });

  it('refuses queries that mean nothing', async () => {
    const { flowrra } = await startMixed(beds);
    const wrong: [object, RegExp][] = [
      [{ status: 'done' }, /status.*Known: pending/],
      [{ limit: 0 }, /limit/],
      [{ from: 'yesterday' }, /from.*Date/],
      [{ tasks: 'x' }, /Did you mean 'task'/],
      [{ cursor: 5 }, /cursor/],
    ];
    for (const [query, message] of wrong) await expect(flowrra.jobs.find(query)).rejects.toThrow(message);
    await expect(flowrra.jobs.find({ cursor: '!' })).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringContaining("cursor: '!' is no cursor"),
    });
    expect(await flowrra.jobs.get('no-such-job')).toBeNull();
    expect(await flowrra.jobs.retry('no-such-job')).toBe(false);
    expect(await flowrra.jobs.remove('no-such-job')).toBe(false);
  });

  it('forgets a finished job on demand, and no other one', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds, { numWorkers: 1 });
    const done = await flowrra.with({ taskId: 'own-id' }).submit(mixed.fine, 1);
    await flowrra.waitForResult(done);
    const cancelled = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 2);
    await flowrra.cancel(cancelled);
    const running = await flowrra.submit(mixed.hold);
    await advance(1_000);
    const waiting = await flowrra.submit(mixed.fine, 3);
    const removed = await Promise.all(
      [done, cancelled, running, waiting].map((id) => flowrra.jobs.remove(id)),
    );
    expect(removed).toEqual([true, true, false, false]);
    expect([await flowrra.getResult(done), await flowrra.getResult(cancelled)]).toEqual([null, null]);
    expect(await flowrra.jobs.remove(done)).toBe(false);
    // Its id is free again.
    await flowrra.with({ taskId: 'own-id' }).submit(mixed.fine, 4);
    mixed.gate.open();
    await advance(1_000);
    expect(await flowrra.waitForResult('own-id')).toMatchObject({ result: 4 });
    expect(await flowrra.waitForResult(waiting)).toMatchObject({ result: 3 });
  });
}
