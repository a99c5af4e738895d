import { type BatchJob, QueueFullError } from '../../lib/index.js';
import type { Bed, Beds, EngineUnderTest } from './engine-under-test.js';
import { Mixed, startMixed } from './mixed-tasks.js';

const TTL = 10_000;
const BRIEF = { resultTtl: '10s', queues: { other: { concurrency: 4 } } } as const;

/** An id that the submitter chose is taken as long as its job is known, and no longer. */
export function ownIdCases(beds: Beds, engine: EngineUnderTest): void {
  const startsOf = ({ seen }: Bed, id: string): number =>
    seen.filter(({ type, taskId }) => type === 'started' && taskId === id).length;

  it('is free again once its result has passed resultTtl, on an idle queue as well', async () => {
    const bed = await startMixed(beds, BRIEF);
    const { flowrra, mixed, advance } = bed;
    const nightly = flowrra.with({ taskId: 'nightly' });
    for (const night of [1, 2, 3]) {
      expect(await nightly.submit(mixed.fine, night)).toBe('nightly');
      await advance(TTL - 1);
      expect(await flowrra.getResult('nightly')).toMatchObject({ result: night });
      expect(await nightly.submit(mixed.fine, -1)).toBe('nightly');
      await advance(1);
      expect(await flowrra.getResult('nightly')).toBeNull();
      expect(startsOf(bed, 'nightly')).toBe(night);
    }
  });

  it('is free again for a batch, which says nothing of the jobs beside it', async () => {
    const bed = await startMixed(beds, BRIEF);
    const { flowrra, mixed, advance, seen } = bed;
    const batch = (n: number): BatchJob<[number]>[] => [
      { args: [n], taskId: 'a' },
      { args: [n] },
      { args: [n + 1], taskId: 'b' },
      { args: [n + 2], taskId: 'a' },
    ];
    await flowrra.submitMany(mixed.fine, batch(1));
    await advance(TTL);
    seen.length = 0;
    const ids = await flowrra.submitMany(mixed.fine, batch(4));
    await advance(0);
    const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(results.map(({ result }) => result)).toEqual([4, 4, 5, 4]);
    expect(seen.filter(({ type }) => type === 'started')).toHaveLength(3);
    expect(seen.filter(({ type }) => type === 'deduplicated')).toHaveLength(1);
  });

  it('is free again whoever made it, and whatever queue its next job is of', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds, BRIEF);
    const generated = await flowrra.submit(mixed.fine, 1);
    await flowrra.with({ taskId: 'moves' }).submit(mixed.fine, 1);
    await advance(TTL);
    expect(await flowrra.with({ taskId: generated }).submit(mixed.fine, 2)).toBe(generated);
    mixed.healed = true;
    expect(await flowrra.with({ taskId: 'moves' }).submit(mixed.broken, { id: 1 })).toBe('moves');
    expect(await flowrra.waitForResult(generated)).toMatchObject({ result: 2 });
    expect(await flowrra.waitForResult('moves')).toMatchObject({ result: 'healed' });
    expect(await flowrra.getResult('moves')).toMatchObject({ result: 'healed' });
  });

  it('is free again after a failure, and after a cancellation', async () => {
    const bed = await startMixed(beds, BRIEF);
    const { flowrra, mixed, advance } = bed;
    const failing = flowrra.with({ taskId: 'failing' });
    const cancelled = flowrra.with({ taskId: 'cancelled', delay: '1h' });
    const submit = async (): Promise<void> => {
      await failing.submit(mixed.halfway);
      await cancelled.submit(mixed.fine, 1);
      await advance(0);
      expect(await flowrra.cancel('cancelled')).toBe(true);
      await advance(0);
    };
    await submit();
    await advance(TTL);
    await submit();
    expect(startsOf(bed, 'failing')).toBe(2);
    expect(await flowrra.jobs.get('failing')).toMatchObject({ status: 'failed', logs: [expect.anything()] });
    expect(await flowrra.getResult('cancelled')).toMatchObject({ status: 'cancelled' });
  });

  it('is free again once its job has been removed, or dropped by maxResults', async () => {
    const bed = await startMixed(beds, { maxResults: 1 });
    const { flowrra, mixed, advance } = bed;
    const once = flowrra.with({ taskId: 'once' });
    await once.submit(mixed.fine, 1);
    await flowrra.waitForResult('once');
    expect(await flowrra.jobs.remove('once')).toBe(true);
    await once.submit(mixed.fine, 2);
    await flowrra.waitForResult('once');
    // However many more than that an engine keeps for a while.
    while ((await flowrra.getResult('once')) !== null) {
      await flowrra.submit(mixed.fine, 0);
      await advance(1_000);
    }
    await once.submit(mixed.fine, 3);
    expect(await flowrra.waitForResult('once')).toMatchObject({ result: 3 });
    expect(startsOf(bed, 'once')).toBe(3);
  });

  it('needs room at maxPending, once it is free', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds, {
      ...BRIEF,
      numWorkers: 1,
      maxPending: 1,
      whenFull: 'reject',
    });
    const once = flowrra.with({ taskId: 'once' });
    await once.submit(mixed.fine, 1);
    await advance(0);
    await flowrra.submit(mixed.hold);
    await advance(0);
    await flowrra.submit(mixed.fine, 2);
    expect(await once.submit(mixed.fine, 1)).toBe('once');
    await advance(TTL);
    await expect(once.submit(mixed.fine, 1)).rejects.toThrow(QueueFullError);
  });

  it('goes to one job, however many submit it at once when it becomes free', async () => {
    const shared = !engine.cannot.includes('share jobs');
    const first = await startMixed(beds, BRIEF);
    const others: Bed[] = [];
    for (let n = 0; n < 3; n++) others.push(shared ? await beds.start([Mixed], BRIEF, first) : first);
    for (let round = 0; round < 5; round++) {
      const submitted = [first, ...others].flatMap(({ flowrra }) =>
        Array.from({ length: 5 }, () => flowrra.with({ taskId: 'contended' }).submit('Mixed.fine', round)),
      );
      expect(new Set(await Promise.all(submitted))).toEqual(new Set(['contended']));
      await first.advance(0);
      expect(await first.flowrra.waitForResult('contended')).toMatchObject({ result: round });
      await first.advance(TTL);
    }
    const all = new Set([first, ...others]);
    const starts = [...all].reduce((sum, bed) => sum + startsOf(bed, 'contended'), 0);
    const added = [...all].flatMap(({ seen }) => seen.filter(({ type }) => type === 'submitted'));
    expect([starts, added.length]).toEqual([5, 5]);
  });
}
