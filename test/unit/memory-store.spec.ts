import { MemoryIds } from '../../lib/engine/memory/memory-id.js';
import { SlotTable } from '../../lib/engine/memory/slot-table.js';
import { MemoryStore } from '../../lib/engine/memory/memory-store.js';
import { newJob, queueOf } from '../support/jobs.js';
import { ManualClock } from '../support/manual-clock.js';

describe('ids', () => {
  it('tell their slot, and only to the store that generated them', () => {
    const [ids, others] = [new MemoryIds(), new MemoryIds()];
    for (const slot of [0, 1, 63, 64, 4_095, 4_096, 1_000_000, 64 ** 4]) {
      const id = ids.generate(slot);
      expect(ids.slotOf(id)).toBe(slot);
      expect(others.slotOf(id)).toBe(-1);
      expect(id).toMatch(/^m[\w-]{30}$/);
    }
  });

  it('never repeat, even for the same slot', () => {
    const ids = new MemoryIds();
    const generated = new Set(Array.from({ length: 10_000 }, () => ids.generate(7)));
    expect(generated.size).toBe(10_000);
  });

  it('any other text names no slot', () => {
    const ids = new MemoryIds();
    const id = ids.generate(5);
    for (const text of [
      '',
      'm',
      `${id}x`,
      id.slice(1),
      id.replace('m', 'n'),
      `${id.slice(0, 4)}%%%%%${id.slice(9)}`,
    ]) {
      expect(ids.slotOf(text)).toBe(-1);
    }
  });
});

it('the slot table hands out free slots again, and knows which it ever handed out', () => {
  const table = new SlotTable<{ n: number }>();
  const slots = Array.from({ length: 10_000 }, (_, n) => {
    const slot = table.take();
    table.put(slot, { n });
    return slot;
  });
  expect(new Set(slots).size).toBe(10_000);
  for (const slot of slots.slice(0, 5_000)) table.free(slot);
  expect(table.get(slots[0] as number)).toBeUndefined();
  expect(table.get(slots[9_999] as number)).toEqual({ n: 9_999 });
  const again = Array.from({ length: 5_000 }, (_, n) => {
    const slot = table.take();
    table.put(slot, { n });
    return slot;
  });
  expect(new Set(again)).toEqual(new Set(slots.slice(0, 5_000)));
  expect(table.take()).toBe(10_000);
  expect([table.knows(10_000), table.knows(10_001), table.knows(-1)]).toEqual([true, false, false]);
});

/** The memory store shares its jobs with nobody. */
const NOBODY = { notify: () => undefined };

it('settles a job once: what answers late changes nothing', () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  store.open({ clock, retention: { resultTtl: 1_000, maxResults: 10 }, queues: [queueOf('q')], ...NOBODY });
  const id = store.insert(newJob({ args: [1] }), clock.now()) as string;
  const [attempt] = store.claim('q', 1, clock.now());
  expect(attempt?.args()).toEqual([1]);
  expect(store.settle(attempt as never, { kind: 'released', delay: 0 }, clock.now())).toBe(true);
  expect(store.settle(attempt as never, { kind: 'success', result: 'late' }, clock.now())).toBe(false);
  expect(store.results.get(id)?.status).toBe('pending');
});

it('drops old results by itself, with one timer, and holds none when there is nothing to drop', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  store.open({ clock, retention: { resultTtl: 10_000, maxResults: 100 }, queues: [queueOf('q')], ...NOBODY });
  for (let n = 0; n < 50; n++) {
    store.insert(newJob({ taskId: `named-${n}` }), clock.now());
    const [attempt] = store.claim('q', 1, clock.now());
    store.settle(attempt as never, { kind: 'success', result: n }, clock.now());
  }
  expect(clock.armed).toBe(1);
  await clock.advance(10_000);
  expect(clock.armed).toBe(0);
  // The same id may be used again once its job is forgotten.
  expect(store.insert(newJob({ taskId: 'named-1' }), clock.now())).toBe('named-1');
  expect(store.results.get('named-1')?.status).toBe('pending');
});

it('what was removed before takes no younger result with it when its time comes', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  store.open({ clock, retention: { resultTtl: 10_000, maxResults: 100 }, queues: [queueOf('q')], ...NOBODY });
  const finish = (taskId: string): void => {
    store.insert(newJob({ taskId }), clock.now());
    const [attempt] = store.claim('q', 1, clock.now());
    store.settle(attempt as never, { kind: 'success', result: taskId }, clock.now());
  };
  finish('old');
  expect(store.control.remove('old')).toBe(true);
  await clock.advance(9_000);
  finish('young');
  await clock.advance(2_000);
  expect(store.results.get('young')?.status).toBe('success');
  await clock.advance(8_000);
  expect(store.results.get('young')).toBeNull();
  expect(clock.armed).toBe(0);
});

it('keeps no place in its heap for delayed jobs that were cancelled, or delayed anew', () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  store.open({ clock, retention: { resultTtl: 10_000, maxResults: 10 }, queues: [queueOf('q')], ...NOBODY });
  store.insert(newJob({ delay: 1 }), clock.now());
  const dedupe = { key: 'k', mode: 'debounce', ttl: 9_000 } as const;
  for (let n = 0; n < 5_000; n++) {
    store.control.cancel(store.insert(newJob({ delay: 1_000_000 }), clock.now()) as string, 'enough');
    store.insert(newJob({ delay: 9_000, dedupe }), clock.now());
  }
  const { delayed } = store.queue('q') as unknown as { delayed: { size: number } };
  expect(store.pendingCount()).toBe(2);
  expect(delayed.size).toBeLessThan(1_100);
});
