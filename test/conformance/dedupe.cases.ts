import { Injectable } from '@nestjs/common';
import { SnoozeTaskError, Task } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, type EngineUnderTest, types } from './engine-under-test.js';

@Injectable()
class Keyed {
  readonly ran: string[] = [];
  readonly gate = new Gate();

  @Task()
  note(value: string): string {
    this.ran.push(value);
    return value;
  }

  @Task()
  other(value: string): string {
    this.ran.push(`other ${value}`);
    return value;
  }

  @Task()
  breaks(value: string): void {
    this.ran.push(value);
    throw new Error('broken');
  }

  @Task()
  async hold(value: string): Promise<void> {
    this.ran.push(value);
    await this.gate.passed;
  }

  @Task()
  snoozes(value: string): void {
    this.ran.push(value);
    if (value === 'first') throw new SnoozeTaskError('1h');
  }
}

const REMOTE = { remoteTasks: { 'Keyed.note': {} }, role: 'producer' } as const;

/** Jobs of one key stand for each other. */
export function dedupeCases(beds: Beds, engine: EngineUnderTest): void {
  const start = async () => {
    const bed = await beds.start([Keyed]);
    return { ...bed, keyed: bed.app.get(Keyed) };
  };

  it("'ignore': while one waits or runs, another one is that one", async () => {
    const { flowrra, advance, keyed, seen } = await start();
    const once = flowrra.with({ dedupe: { key: 'user 1' } });
    const id = await once.submit(keyed.hold, 'a');
    expect(await once.submit(keyed.hold, 'b')).toBe(id);
    await advance(0);
    expect(await once.submit(keyed.hold, 'c')).toBe(id);
    expect(types(seen, id).sort()).toEqual(['deduplicated', 'deduplicated', 'started', 'submitted']);
    expect(seen.find(({ type }) => type === 'deduplicated')).toMatchObject({
      taskName: 'Keyed.hold',
      queue: 'default',
      key: 'user 1',
    });
    keyed.gate.open();
    await flowrra.waitForResult(id);
    const next = await once.submit(keyed.hold, 'd');
    expect(next).not.toBe(id);
    await flowrra.waitForResult(next);
    expect(keyed.ran).toEqual(['a', 'd']);
  });

  it('keys are of one task: another one may have the same', async () => {
    const { flowrra, keyed, advance } = await start();
    const once = flowrra.with({ dedupe: { key: 'a:b/c d' }, delay: '1m' });
    const ids = [await once.submit(keyed.note, 'x'), await once.submit(keyed.other, 'x')];
    expect(ids[0]).not.toBe(ids[1]);
    await advance(60_000);
    expect(keyed.ran.sort()).toEqual(['other x', 'x']);
  });

  it('what was cancelled stands in nobody’s way', async () => {
    const { flowrra, keyed, advance } = await start();
    const once = flowrra.with({ dedupe: { key: 'k' }, delay: '1h' });
    const id = await once.submit(keyed.note, 'first');
    await flowrra.cancel(id);
    await advance(1_000);
    const next = await once.submit(keyed.note, 'second');
    expect(next).not.toBe(id);
    await advance(3_600_000);
    expect(keyed.ran).toEqual(['second']);
  });

  it('one that is put back stands for its key again', async () => {
    const { flowrra, keyed, advance } = await start();
    const once = flowrra.with({ dedupe: { key: 'k' }, maxRetries: 0 });
    const id = await once.submit(keyed.breaks, 'first');
    await flowrra.waitForResult(id);
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await once.submit(keyed.breaks, 'second')).toBe(id);
    await flowrra.queues.resume('default');
    await advance(1_000);
    await flowrra.waitForResult(id);
    expect(keyed.ran).toEqual(['first', 'first']);
  });

  it('one that is put back takes its key back from one that is over, and from no other', async () => {
    const { flowrra, keyed, advance } = await start();
    const once = flowrra.with({ dedupe: { key: 'k' }, maxRetries: 0 });
    const first = await once.submit(keyed.breaks, 'first');
    await flowrra.waitForResult(first);
    const next = await once.submit(keyed.breaks, 'second');
    await flowrra.waitForResult(next);
    expect(next).not.toBe(first);
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retry(first)).toBe(true);
    expect(await once.submit(keyed.breaks, 'third')).toBe(first);
    expect(await flowrra.jobs.retry(next)).toBe(true);
    expect(await once.submit(keyed.breaks, 'fourth')).toBe(first);
    await flowrra.queues.resume('default');
    await advance(1_000);
    await Promise.all([first, next].map((id) => flowrra.waitForResult(id)));
    // The two run at the same time.
    expect(keyed.ran.slice(0, 2)).toEqual(['first', 'second']);
    expect(keyed.ran.slice(2).toSorted()).toEqual(['first', 'second']);
  });

  it("whoever comes: a key stands as the job that holds it was submitted, 'ignore' until its end", async () => {
    const { flowrra, keyed, advance } = await start();
    const key = 'k';
    const delayed = await flowrra.with({ dedupe: { key }, delay: '20s' }).submit(keyed.note, 'a');
    const throttled = flowrra.with({ dedupe: { key, mode: 'throttle', ttl: '5s' } });
    expect(await throttled.submit(keyed.note, 'b')).toBe(delayed);
    await advance(10_000);
    expect(await throttled.submit(keyed.note, 'c')).toBe(delayed);
    const debounced = flowrra.with({ dedupe: { key, mode: 'debounce', ttl: '30s' } });
    expect(await debounced.submit(keyed.note, 'd')).toBe(delayed);
    await advance(25_000);
    expect(keyed.ran).toEqual([]);
    await advance(10_000);
    expect(keyed.ran).toEqual(['d']);
    const next = await throttled.submit(keyed.note, 'e');
    expect(next).not.toBe(delayed);
  });

  it("whoever comes: a key stands as the job that holds it was submitted, 'throttle' for its time", async () => {
    const { flowrra, keyed, advance } = await start();
    const key = 'k';
    const throttled = flowrra.with({ dedupe: { key, mode: 'throttle', ttl: '10s' }, delay: '20s' });
    const first = await throttled.submit(keyed.note, 'a');
    const once = flowrra.with({ dedupe: { key }, delay: '20s' });
    expect(await once.submit(keyed.note, 'b')).toBe(first);
    const debounced = flowrra.with({ dedupe: { key, mode: 'debounce', ttl: '30s' } });
    expect(await debounced.submit(keyed.note, 'c')).toBe(first);
    await advance(11_000);
    // Its time is over, though the job still waits.
    const second = await debounced.submit(keyed.note, 'd');
    expect(second).not.toBe(first);
    expect(await once.submit(keyed.note, 'e')).toBe(second);
    await advance(60_000);
    expect(keyed.ran).toEqual(['c', 'd']);
    const third = await flowrra
      .with({ dedupe: { key, mode: 'throttle', ttl: '10s' } })
      .submit(keyed.note, 'f');
    await flowrra.waitForResult(third);
    expect(await once.submit(keyed.note, 'g')).toBe(third);
  });

  it("'debounce': what has been started once is not changed any more; another one takes its key", async () => {
    const { flowrra, keyed, advance } = await start();
    const debounced = flowrra.with({ dedupe: { key: 'k', mode: 'debounce', ttl: '1s' } });
    const first = await debounced.submit(keyed.snoozes, 'first');
    await advance(2_000);
    expect(await flowrra.getResult(first)).toMatchObject({ status: 'pending' });
    const second = await debounced.submit(keyed.snoozes, 'second');
    expect(second).not.toBe(first);
    await advance(2_000);
    expect(keyed.ran).toEqual(['first', 'second']);
    expect(await flowrra.jobs.get(first)).toMatchObject({ args: ['first'], status: 'pending' });
  });

  it("'debounce' with expires: it counts from the last call", async () => {
    const { flowrra, keyed, advance } = await start();
    const debounced = flowrra.with({ expires: '9s', dedupe: { key: 'k', mode: 'debounce', ttl: '4s' } });
    for (const value of ['a', 'b', 'c', 'd']) {
      await debounced.submit(keyed.note, value);
      await advance(3_000);
    }
    await advance(2_000);
    expect(keyed.ran).toEqual(['d']);
  });

  it("'throttle': for a time after one was submitted, no other one is added, though it is done", async () => {
    const { flowrra, keyed, advance } = await start();
    const throttled = flowrra.with({ dedupe: { key: 'k', mode: 'throttle', ttl: '10s' } });
    const id = await throttled.submit(keyed.note, 'a');
    await flowrra.waitForResult(id);
    await advance(9_000);
    expect(await throttled.submit(keyed.note, 'b')).toBe(id);
    await advance(1_500);
    const next = await throttled.submit(keyed.note, 'c');
    expect(next).not.toBe(id);
    await flowrra.waitForResult(next);
    expect(keyed.ran).toEqual(['a', 'c']);
  });

  it("'debounce': the last one's arguments win, when no other has come for a time", async () => {
    const { flowrra, keyed, advance } = await start();
    const debounced = flowrra.with({ dedupe: { key: 'k', mode: 'debounce', ttl: '10s' } });
    const id = await debounced.submit(keyed.note, 'a');
    await advance(6_000);
    expect(await debounced.submit(keyed.note, 'b')).toBe(id);
    await advance(6_000);
    expect(await debounced.submit(keyed.note, 'c')).toBe(id);
    await advance(9_000);
    expect(keyed.ran).toEqual([]);
    await advance(1_500);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: 'c' });
    const next = await debounced.submit(keyed.note, 'd');
    expect(next).not.toBe(id);
    await advance(11_000);
    expect(keyed.ran).toEqual(['c', 'd']);
  });

  it.each(['ignore', 'throttle', 'debounce'] as const)('%s: fifty at once are one', async (mode) => {
    const { flowrra, keyed, advance, seen } = await start();
    const dedupe = mode === 'ignore' ? { key: 'k', mode } : { key: 'k', mode, ttl: '5s' as const };
    const submission = flowrra.with(mode === 'debounce' ? { dedupe } : { dedupe, delay: '5s' });
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, n) => submission.submit(keyed.note, `value ${n}`)),
    );
    expect(new Set(ids).size).toBe(1);
    expect(types(seen, ids[0] as string).filter((type) => type === 'submitted')).toHaveLength(1);
    await advance(6_000);
    expect(keyed.ran).toHaveLength(1);
  });

  it('in a batch, too: the first of a key stands, whichever jobs are beside it', async () => {
    const { flowrra, keyed, advance } = await start();
    const ids = await flowrra
      .with({ delay: '1m' })
      .submitMany(keyed.note, [
        { args: ['a'], dedupe: { key: 'k' } },
        ['plain'],
        { args: ['b'], dedupe: { key: 'k' } },
        { args: ['c'], dedupe: { key: 'l' } },
      ]);
    expect(ids[2]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    await advance(60_000);
    expect(keyed.ran.sort()).toEqual(['a', 'c', 'plain']);
  });

  it('refuses what would not do what it says', async () => {
    const { flowrra } = await start();
    const wrong: [object, RegExp][] = [
      [{ dedupe: {} }, /dedupe\.key/],
      [{ dedupe: { key: 'k', mode: 'throttle' } }, /dedupe\.ttl.*'throttle' requires a duration/],
      [{ dedupe: { key: 'k', ttl: '1s' } }, /dedupe\.ttl.*'throttle' or 'debounce'/],
      [{ dedupe: { key: 'k', mode: 'debounse', ttl: '1s' } }, /debounce/],
      [{ dedupe: { key: 'k', mode: 'debounce', ttl: '1s' }, delay: '1m' }, /delay/],
      [{ dedupe: { key: 'k' }, taskId: 'own' }, /taskId/],
    ];
    for (const [options, message] of wrong) expect(() => flowrra.with(options)).toThrow(message);
  });

  if (engine.cannot.includes('share jobs')) return;

  it('across processes', async () => {
    const first = await beds.start([], REMOTE);
    const second = await beds.start([], REMOTE, first);
    const dedupe = { key: 'k' };
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? first : second).flowrra.with({ dedupe }).submit('Keyed.note', `value ${n}`),
      ),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await first.flowrra.pendingCount()).toBe(1);
  });
}
