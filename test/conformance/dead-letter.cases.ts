import type { Beds } from './engine-under-test.js';
import { startMixed } from './mixed-tasks.js';

/** What has failed for good is handed to a task that receives it. */
export function deadLetterCases(beds: Beds): void {
  it('what has failed for good is sent to the dead-letter task', async () => {
    const { flowrra, mixed, advance, clock } = await startMixed(beds);
    const submittedAt = new Date(clock.now());
    const id = await flowrra.with({ metadata: { by: 'ada' } }).submit(mixed.dies, { id: 5 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    await advance(1_000);
    expect(mixed.letters).toEqual([
      {
        taskId: id,
        taskName: 'Mixed.dies',
        queue: 'default',
        args: [{ id: 5 }],
        metadata: { by: 'ada' },
        submittedAt,
        errors: [
          expect.objectContaining({ attempt: 1, message: 'order 5 is lost', at: expect.any(Date) }),
          expect.objectContaining({ attempt: 2, message: 'order 5 is lost' }),
        ],
      },
    ]);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'failed' });
    // What fails to receive a letter gets none about that.
    await flowrra.submit(mixed.fatal);
    await advance(1_000);
    expect(mixed.letters.map(({ taskName }) => taskName)).toEqual(['Mixed.dies', 'Mixed.fatal']);
  });

  it('a dead letter comes though the queue is full, and without what is too large for it', async () => {
    const { flowrra, mixed, advance } = await startMixed(beds, {
      maxPending: 2,
      whenFull: 'reject',
      numWorkers: 1,
    });
    const dying = await flowrra.with({ maxRetries: 0 }).submit(mixed.dies, { id: 1 });
    await advance(0);
    await flowrra.waitForResult(dying);
    await advance(1_000);
    expect(mixed.letters).toHaveLength(1);
    await flowrra.queues.pause('other');
    for (let n = 0; n < 2; n++) await flowrra.submit(mixed.broken, { id: n }).catch(() => undefined);
    const large = { id: 5, text: 'x'.repeat(1_048_000) };
    await flowrra.queues.resume('other');
    await advance(1_000);
    mixed.letters.length = 0;
    const largeId = await flowrra.with({ maxRetries: 0 }).submit(mixed.dies, large);
    await advance(1_000);
    await flowrra.waitForResult(largeId);
    await advance(1_000);
    expect(mixed.letters).toMatchObject([{ taskId: largeId, args: null }]);
  });

  it('dead letters that would go round in a circle are refused at the start', async () => {
    const options = { tasks: { 'Mixed.receive': { deadLetter: 'Mixed.fatal' } } };
    await expect(startMixed(beds, options)).rejects.toThrow(/deadLetter: .*Mixed\.receive.* is a circle/);
  });

  it('one of the application is for all its tasks, and has to exist', async () => {
    await expect(startMixed(beds, { deadLetter: 'Mixed.recieve' })).rejects.toThrow(
      /deadLetter: no task is called/,
    );
    const { flowrra, mixed, advance } = await startMixed(beds, { deadLetter: 'Mixed.receive' });
    await flowrra.submit(mixed.broken, { id: 1 });
    await advance(1_000);
    await advance(1_000);
    expect(mixed.letters).toMatchObject([{ taskName: 'Mixed.broken' }]);
  });
}
