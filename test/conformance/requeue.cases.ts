import { InMemoryBackend } from '../../lib/index.js';
import { type Beds, types } from './engine-under-test.js';
import { startMixed } from './mixed-tasks.js';

/** Putting failed jobs back into line. */
export function requeueCases(beds: Beds): void {
  it('shows a failed job with its arguments and errors, and runs it again with all its retries', async () => {
    const { flowrra, mixed, advance, seen } = await startMixed(beds);
    const id = await flowrra.submit(mixed.broken, { id: 17 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    const failed = await flowrra.jobs.get(id);
    expect(failed).toMatchObject({
      status: 'failed',
      args: [{ id: 17 }],
      retries: 1,
      errors: [
        { name: 'TypeError', attempt: 1 },
        { name: 'TypeError', attempt: 2 },
      ],
    });
    expect(JSON.parse(JSON.stringify(failed))).toMatchObject({
      taskId: id,
      queue: 'other',
      args: [{ id: 17 }],
    });
    mixed.attempts = 0;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    const again = flowrra.waitForResult(id);
    await advance(1_000);
    expect(await again).toMatchObject({ status: 'failed', retries: 1 });
    expect((await again).errors).toHaveLength(4);
    expect(mixed.attempts).toBe(2);
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'success',
      result: 'healed',
      error: null,
    });
    expect(await flowrra.jobs.retry(id)).toBe(false);
    expect(types(seen, id).filter((type) => type === 'requeued')).toHaveLength(2);
    expect(types(seen, id).filter((type) => type === 'redriven')).toHaveLength(2);
  });

  it('a job that runs again has made no progress yet, and its log goes on', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds);
    const id = await flowrra.submit(mixed.halfway);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'failed', progress: 0.5 });
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await flowrra.jobs.get(id)).toMatchObject({
      status: 'pending',
      progress: null,
      retries: 0,
      startedAt: null,
      finishedAt: null,
    });
    await flowrra.queues.resume('default');
    await advance(1_000);
    await flowrra.waitForResult(id);
    expect((await flowrra.jobs.get(id))?.logs.map(({ line }) => line)).toEqual(['halfway', 'halfway']);
  });

  it('runs all failed jobs again that a filter fits', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds);
    const broken = await flowrra.submitMany(mixed.broken, [[{ id: 1 }], [{ id: 2 }], [{ id: 3 }]]);
    const dead = await flowrra.submit(mixed.fatal);
    await advance(1_000);
    await Promise.all([...broken, dead].map((id) => flowrra.waitForResult(id)));
    mixed.healed = true;
    expect(await flowrra.jobs.retryAll({ task: 'Mixed.none' })).toBe(0);
    expect(await flowrra.jobs.retryAll({ queue: 'other' })).toBe(3);
    await advance(1_000);
    const results = await Promise.all(broken.map((id) => flowrra.waitForResult(id)));
    expect(results.map(({ result }) => result)).toEqual(['healed', 'healed', 'healed']);
    expect(await flowrra.getResult(dead)).toMatchObject({ status: 'failed' });
    expect(await flowrra.jobs.retryAll({ queue: 'other' })).toBe(0);
  });

  it('of a retry and a removal at once, one wins', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds);
    const broken = await flowrra.submitMany(
      mixed.broken,
      Array.from({ length: 10 }, (_, id): [{ id: number }] => [{ id }]),
    );
    await advance(1_000);
    await Promise.all(broken.map((id) => flowrra.waitForResult(id)));
    mixed.healed = true;
    const answers = await Promise.all(
      broken.map((id, n) => {
        const calls = [() => flowrra.jobs.retry(id), () => flowrra.jobs.remove(id)];
        return Promise.all((n % 2 === 0 ? calls : calls.reverse()).map((call) => call()));
      }),
    );
    await advance(1_000);
    for (const [n, id] of broken.entries()) {
      const [first, second] = answers[n] as [boolean, boolean];
      const [retried, removed] = n % 2 === 0 ? [first, second] : [second, first];
      const result = await flowrra.getResult(id);
      if (retried && !removed) expect(result).toMatchObject({ status: 'success' });
      else expect(result).toBeNull();
      expect(retried || removed).toBe(true);
    }
  });

  it('a backend hears of a retry in order: the old failure is not taken for the new result', async () => {
    const backend = new InMemoryBackend({ resultTtl: '10000d' });
    const { flowrra, mixed, advance } = await startMixed(beds, { backend });
    const id = await flowrra.submit(mixed.broken, { id: 17 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    await flowrra.queues.pause('other');
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'pending' });
    const again = flowrra.waitForResult(id);
    await flowrra.queues.resume('other');
    await advance(1_000);
    expect(await again).toMatchObject({ status: 'success', result: 'healed' });
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
    expect(await flowrra.jobs.retry(id)).toBe(false);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
  });

  it('a job that is put back runs, though it has expired since', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds);
    const id = await flowrra.with({ expires: '30s' }).submit(mixed.broken, { id: 17 });
    await advance(60_000);
    await flowrra.waitForResult(id);
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success' });
  });
}
