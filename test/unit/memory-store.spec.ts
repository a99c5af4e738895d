import { MemoryIds } from '../../lib/engine/memory/memory-ids.js';
import { SlotTable } from '../../lib/engine/memory/memory-jobs.js';
import { MemoryStore } from '../../lib/engine/memory/memory-store.js';
import { newJob, queueOf } from '../support/jobs.js';
import { ManualClock } from '../support/manual-clock.js';

describe('ids', () => {
  it('contain their slot, which only the store that generated them can read', () => {
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
    const created = new Set(Array.from({ length: 10_000 }, () => ids.generate(7)));
    expect(created.size).toBe(10_000);
  });

  it('no other text contains a slot', () => {
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

it('the slot table uses free slots again, and knows which slots it has ever used', () => {
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
  expect([table.wasIssued(10_000), table.wasIssued(10_001), table.wasIssued(-1)]).toEqual([
    true,
    false,
    false,
  ]);
});

/** These tests do not need the events of the store. */
const SILENT = { notify: () => undefined };

it('settles a job once: a second outcome changes nothing', () => {
  const clock = new ManualClock();
  const store = new MemoryStore().open({
    clock,
    retention: { resultTtl: 1_000, maxResults: 10 },
    queues: [queueOf('q')],
    ...SILENT,
  });
  const id = store.insert(newJob({ args: [1] }), clock.now()) as string;
  const [attempt] = store.claim('q', 1, clock.now());
  expect(attempt?.args()).toEqual([1]);
  expect(store.settle(attempt as never, { kind: 'released', delay: 0 }, clock.now())).toBe(true);
  expect(store.settle(attempt as never, { kind: 'success', result: 'late' }, clock.now())).toBe(false);
  expect(store.results.get(id)?.status).toBe('pending');
});

it('drops old results with one timer, and has no timer without finished jobs', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore().open({
    clock,
    retention: { resultTtl: 10_000, maxResults: 100 },
    queues: [queueOf('q')],
    ...SILENT,
  });
  for (let n = 0; n < 50; n++) {
    store.insert(newJob({ taskId: `named-${n}` }), clock.now());
    const [attempt] = store.claim('q', 1, clock.now());
    store.settle(attempt as never, { kind: 'success', result: n }, clock.now());
  }
  expect(clock.armed).toBe(1);
  await clock.advance(10_000);
  expect(clock.armed).toBe(0);
  // The same id may be used again after its job has been dropped.
  expect(store.insert(newJob({ taskId: 'named-1' }), clock.now())).toBe('named-1');
  expect(store.results.get('named-1')?.status).toBe('pending');
});

it('a removed job does not drop a younger result when its own time is over', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore().open({
    clock,
    retention: { resultTtl: 10_000, maxResults: 100 },
    queues: [queueOf('q')],
    ...SILENT,
  });
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

it('keeps no entries of delayed jobs that were cancelled or rescheduled', () => {
  const clock = new ManualClock();
  const store = new MemoryStore().open({
    clock,
    retention: { resultTtl: 10_000, maxResults: 10 },
    queues: [queueOf('q')],
    ...SILENT,
  });
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
