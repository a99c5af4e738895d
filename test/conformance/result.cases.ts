import { getEventListeners } from 'node:events';
import {
  InMemoryBackend,
  ResultExpiredError,
  ResultNotFoundError,
  TaskTimeoutError,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Beds } from './engine-under-test.js';

export function resultCases(beds: Beds): void {
  async function start(options: Parameters<Beds['start']>[1] = {}) {
    const bed = await beds.start([], options);
    const gate = new Gate<string>();
    bed.flowrra.register({ name: 'echo' }, (value: unknown) => value);
    bed.flowrra.register({ name: 'hold' }, () => gate.passed);
    return { ...bed, gate };
  }

  it('shows a job as it goes: pending, running, success', async () => {
    const { flowrra, gate, advance, clock } = await start({ numWorkers: 1 });
    const submitted = clock.now();
    const first = await flowrra.submit('hold');
    const second = await flowrra.submit('echo', 2);
    await advance(0);
    expect(await flowrra.getResult(first)).toMatchObject({
      taskName: 'hold',
      status: 'running',
      startedAt: new Date(submitted),
      result: null,
      error: null,
    });
    expect(await flowrra.getResult(second)).toMatchObject({
      status: 'pending',
      startedAt: null,
      finishedAt: null,
      isComplete: false,
      isSuccess: false,
    });
    await advance(500);
    gate.open('done');
    await advance(0);
    expect(await flowrra.getResult(first)).toMatchObject({
      taskId: first,
      status: 'success',
      result: 'done',
      submittedAt: new Date(submitted),
      startedAt: new Date(submitted),
      finishedAt: new Date(submitted + 500),
      isComplete: true,
      isSuccess: true,
    });
  });

  it('answers everybody who waits, before the end and after', async () => {
    const { flowrra, gate, advance } = await start();
    const id = await flowrra.submit('hold');
    const waiting = [
      flowrra.waitForResult(id),
      flowrra.waitForResult(id, { timeout: '1h' }),
      flowrra.waitForResult(id),
    ];
    await advance(10);
    gate.open('done');
    for (const result of await Promise.all(waiting)) expect(result.result).toBe('done');
    expect((await flowrra.waitForResult(id)).result).toBe('done');
  });

  it('gives up waiting when the time is over, and leaves the job alone', async () => {
    const { flowrra, gate, advance, clock } = await start();
    const id = await flowrra.submit('hold');
    await advance(10_000);
    const armed = clock.armed;
    const waiting = expect(flowrra.waitForResult(id, { timeout: '10s' })).rejects.toThrow(TaskTimeoutError);
    await advance(10_000);
    await waiting;
    expect(clock.armed).toBe(armed);
    gate.open('late');
    expect((await flowrra.waitForResult(id, { timeout: '10s' })).result).toBe('late');
  });

  it('gives up waiting when the signal is aborted', async () => {
    const { flowrra } = await start();
    const id = await flowrra.submit('hold');
    const controller = new AbortController();
    const waiting = flowrra.waitForResult(id, { signal: controller.signal });
    controller.abort(new Error('the client went away'));
    await expect(waiting).rejects.toThrow('the client went away');
  });

  it.each(['nobody', '', 'm'.repeat(31), '0'.repeat(31), 'x'.repeat(10_000)])(
    'an id that nobody knows is told at once: %.20s',
    async (id) => {
      const { flowrra } = await start();
      expect(await flowrra.getResult(id)).toBeNull();
      await expect(flowrra.waitForResult(id)).rejects.toThrow(ResultNotFoundError);
    },
  );

  it('waits on one signal share one listener, which goes with the last of them', async () => {
    const { flowrra, gate, advance } = await start();
    const listeners = (): number => getEventListeners(controller.signal, 'abort').length;
    const controller = new AbortController();
    const { signal } = controller;
    const held = await flowrra.submit('hold');
    const delayed = await flowrra.with({ delay: '1h' }).submit('echo', 1);
    const ended = Array.from({ length: 20 }, () => flowrra.waitForResult(held, { signal }));
    const aborted = Array.from({ length: 20 }, () => flowrra.waitForResult(delayed, { signal }));
    await advance(10);
    expect(listeners()).toBe(1);
    gate.open('done');
    for (const { result } of await Promise.all(ended)) expect(result).toBe('done');
    expect(listeners()).toBe(1);
    const outcomes = Promise.allSettled(aborted);
    controller.abort(new Error('enough'));
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { message: 'enough' } });
    expect(listeners()).toBe(0);
  });

  it.each([
    'events',
    'id',
    'completed',
    'wait',
    'meta',
    'de:key',
    'order:42',
    'repeat:nightly:1700000000000',
    'x'.repeat(256),
    'x'.repeat(10_000_000),
    'a\0b',
    'two\nlines',
    '\ud800',
  ])('what cannot be the id of a job is unknown to every look-up: %.20s', async (id) => {
    const { flowrra } = await start();
    expect(await flowrra.getResult(id)).toBeNull();
    expect(await flowrra.jobs.get(id)).toBeNull();
    expect(await flowrra.jobs.retry(id)).toBe(false);
    expect(await flowrra.jobs.remove(id)).toBe(false);
    for (const ask of [() => flowrra.waitForResult(id), () => flowrra.cancel(id)]) {
      const error = await ask().catch((reason: unknown) => reason as Error);
      expect(error).toBeInstanceOf(ResultNotFoundError);
      expect((error as Error).message.length).toBeLessThan(300);
      expect((error as Error).message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    }
  });

  it('drops results by age', async () => {
    const { flowrra, advance } = await start({ resultTtl: '10s' });
    const id = await flowrra.submit('echo', 1);
    await advance(9_999);
    expect((await flowrra.getResult(id))?.result).toBe(1);
    await advance(1);
    expect(await flowrra.getResult(id)).toBeNull();
    await expect(flowrra.waitForResult(id)).rejects.toThrow(ResultExpiredError);
  });

  it('drops results by number, the oldest finished out first, and never an unfinished job', async () => {
    const { flowrra, advance } = await start({ maxResults: 3, numWorkers: 1 });
    const delayed = await flowrra.with({ delay: '1m' }).submit('echo', 'delayed');
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await flowrra.submit('echo', n));
    await advance(0);
    const kept = await Promise.all(ids.map((id) => flowrra.getResult(id)));
    expect(kept.map((result) => result?.result ?? null)).toEqual([null, null, 2, 3, 4]);
    await expect(flowrra.waitForResult(ids[0] as string)).rejects.toThrow(ResultExpiredError);
    await advance(60_000);
    expect((await flowrra.getResult(delayed))?.result).toBe('delayed');
  });

  it('a dropped result never shows the job that took its place', async () => {
    const { flowrra, advance } = await start({ maxResults: 1 });
    const old: string[] = [];
    for (let round = 0; round < 50; round++) {
      old.push(await flowrra.submit('echo', round));
      await advance(0);
    }
    for (const id of old.slice(0, -1)) expect(await flowrra.getResult(id)).toBeNull();
    expect((await flowrra.getResult(old.at(-1) as string))?.result).toBe(49);
  });

  it('a configured backend keeps them instead, and loses nothing of them', async () => {
    const backend = new InMemoryBackend({ resultTtl: '36500d' });
    const { flowrra, gate, advance } = await start({ backend, numWorkers: 1 });
    flowrra.register({ name: 'fails', maxRetries: 0 }, () => {
      throw new TypeError('as expected');
    });
    const held = await flowrra.submit('hold');
    const failed = await flowrra.submit('fails');
    await advance(0);
    expect(await backend.get(held)).toMatchObject({ status: 'running' });
    expect(await backend.get(failed)).toMatchObject({ status: 'pending' });
    gate.open('done');
    expect(await flowrra.waitForResult(held)).toMatchObject({ status: 'success', result: 'done' });
    expect(await flowrra.waitForResult(failed)).toMatchObject({ error: 'TypeError: as expected' });
    expect(await flowrra.getResult(held)).toEqual(await backend.get(held));
  });

  it('shows itself as plain JSON', async () => {
    const { flowrra } = await start();
    const result = await flowrra.waitForResult(
      await flowrra.submit('echo', { at: new Date(0), big: 12n, map: new Map([[1, 2]]) }),
    );
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({
      status: 'success',
      result: { at: '1970-01-01T00:00:00.000Z', big: '12', map: [[1, 2]] },
      error: null,
      errors: [],
      isComplete: true,
      isSuccess: true,
      submittedAt: expect.stringMatching(/Z$/),
    });
  });
}
