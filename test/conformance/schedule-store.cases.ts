import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExecutorNotRunningError } from '../../lib/index.js';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../lib/engine/schedule-store.js';
import { compileFixtures } from '../support/fixtures.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

const here = dirname(fileURLToPath(import.meta.url));

/** A schedule's first write, with what differs from the usual. */
function first(name: string, values: Partial<ScheduleWrite> = {}): ScheduleWrite {
  return { name, expected: 0, due: 1_000, body: `{"of":${JSON.stringify(name)}}`, ...values };
}

const namesOf = (schedules: readonly StoredSchedule[]): string[] => schedules.map(({ name }) => name);

/** All schedules, by pages. */
async function all(schedules: ScheduleStore, limit: number): Promise<StoredSchedule[]> {
  const found: StoredSchedule[] = [];
  for (;;) {
    const page = await schedules.page(found.at(-1)?.name ?? '', limit);
    found.push(...page);
    if (page.length < limit) return found;
  }
}

/** Stores many schedules, at most 500 in one call. */
async function putAll(schedules: ScheduleStore, writes: readonly ScheduleWrite[]): Promise<void> {
  for (let from = 0; from < writes.length; from += 500) {
    const some = writes.slice(from, from + 500);
    expect(await schedules.put(some)).toEqual(some.map(() => true));
  }
}

/** The store of schedules, without the scheduler on top of it. */
export function scheduleStoreCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('schedule')) return;
  const shares = !engine.cannot.includes('share jobs');

  /** Two connections to the same store; the same one twice if an engine has only one. */
  async function two(): Promise<[ScheduleStore, ScheduleStore]> {
    const one = await beds.connect();
    return [one.schedules, shares ? (await beds.connect(one)).schedules : one.schedules];
  }

  it('keeps name, due and body, and counts the writes in the version', async () => {
    const { schedules } = await beds.connect();
    expect(await schedules.get(['a', 'b'])).toEqual([]);
    expect(await schedules.put([first('a'), first('b', { due: null })])).toEqual([true, true]);
    const [a] = await schedules.get(['a', 'missing']);
    expect(a).toEqual({ name: 'a', version: 1, due: 1_000, body: '{"of":"a"}' });
    expect(await schedules.get(['b'])).toEqual([{ name: 'b', version: 1, due: null, body: '{"of":"b"}' }]);
    const due = 8_640_000_000_000_000;
    expect(await schedules.put([{ name: 'b', expected: 1, due, body: '{}' }])).toEqual([true]);
    expect(await schedules.put([{ name: 'a', expected: 1, due: null, body: '{}' }])).toEqual([true]);
    expect(await schedules.get(['a', 'b'])).toHaveLength(2);
    expect(await schedules.page('', 10)).toEqual([
      { name: 'a', version: 2, due: null, body: '{}' },
      { name: 'b', version: 2, due, body: '{}' },
    ]);
  });

  it('an empty call asks for nothing and changes nothing', async () => {
    const { schedules } = await beds.connect();
    expect(await schedules.put([])).toEqual([]);
    expect(await schedules.get([])).toEqual([]);
    expect(await schedules.earliest(10)).toEqual([]);
    expect(await schedules.page('', 10)).toEqual([]);
  });

  it('earliest: by due and then by name, without those that are never due, at most the limit', async () => {
    const { schedules } = await beds.connect();
    await putAll(schedules, [
      first('late', { due: 1_800_000_000_000 }),
      first('never', { due: null }),
      first('soon-b', { due: 5 }),
      first('before the epoch', { due: -10 }),
      first('soon-a', { due: 5 }),
      first('zero', { due: 0 }),
    ]);
    const order = ['before the epoch', 'zero', 'soon-a', 'soon-b', 'late'];
    expect(namesOf(await schedules.earliest(100))).toEqual(order);
    expect(namesOf(await schedules.earliest(3))).toEqual(order.slice(0, 3));
    expect(await schedules.put([first('zero', { expected: 1, due: null })])).toEqual([true]);
    expect(await schedules.put([first('late', { expected: 1, due: 1 })])).toEqual([true]);
    expect(await schedules.put([first('never', { expected: 1, due: 2 })])).toEqual([true]);
    await schedules.remove('soon-a');
    expect(await schedules.earliest(100)).toMatchObject([
      { name: 'before the epoch', due: -10, version: 1 },
      { name: 'late', due: 1, version: 2 },
      { name: 'never', due: 2, version: 2 },
      { name: 'soon-b', due: 5, version: 1 },
    ]);
  });

  it('put: a write with another version than the stored one changes nothing', async () => {
    const { schedules } = await beds.connect();
    await putAll(schedules, [first('a')]);
    const wrong = [0, 2, 3].map((expected) => first('a', { expected, due: 7, body: 'wrong' }));
    for (const write of wrong) expect(await schedules.put([write])).toEqual([false]);
    expect(await schedules.put([first('unknown', { expected: 1 })])).toEqual([false]);
    expect(await schedules.page('', 10)).toEqual([{ name: 'a', version: 1, due: 1_000, body: '{"of":"a"}' }]);
    expect(namesOf(await schedules.earliest(10))).toEqual(['a']);
  });

  it('put: 500 at once, each on its own', async () => {
    const { schedules } = await beds.connect();
    const names = Array.from({ length: 500 }, (_, n) => `schedule ${n}`);
    const existing = names.filter((_, n) => n % 5 === 0);
    await putAll(
      schedules,
      existing.map((name) => first(name)),
    );
    // Of the existing ones, every second one is written with the right version.
    const writes = names.map((name, n) =>
      first(name, { expected: n % 10 === 0 ? 1 : 0, due: n, body: `{"written":${n}}` }),
    );
    const answers = await schedules.put(writes);
    expect(answers).toEqual(names.map((_, n) => n % 5 !== 0 || n % 10 === 0));
    const stored = new Map((await schedules.get(names)).map((schedule) => [schedule.name, schedule]));
    expect(stored.size).toBe(500);
    names.forEach((name, n) =>
      expect(stored.get(name)).toEqual({
        name,
        version: n % 10 === 0 ? 2 : 1,
        due: answers[n] === true ? n : 1_000,
        body: answers[n] === true ? `{"written":${n}}` : first(name).body,
      }),
    );
  });

  it('put: of two at once from two connections exactly one wins, 100 times', async () => {
    const [one, other] = await two();
    for (let expected = 0; expected < 100; expected++) {
      const write = (body: string) => [first('raced', { expected, due: expected, body })];
      const [a, b] = await Promise.all([one.put(write('"one"')), other.put(write('"other"'))]);
      expect([...a, ...b].sort()).toEqual([false, true]);
      const won = { version: expected + 1, due: expected, body: a[0] === true ? '"one"' : '"other"' };
      for (const schedules of [one, other]) {
        expect(await schedules.get(['raced'])).toEqual([{ name: 'raced', ...won }]);
      }
    }
  });

  it('put: many at once in opposite orders from two connections, each is written by exactly one', async () => {
    const [one, other] = await two();
    const names = Array.from({ length: 60 }, (_, n) => `raced ${n}`);
    for (let expected = 0; expected < 12; expected++) {
      const writes = names.map((name, n) => first(name, { expected: n % 3 === 0 ? 0 : expected }));
      const [a, b] = await Promise.all([one.put(writes), other.put([...writes].reverse())]);
      const wins = names.map((_, n) => Number(a[n]) + Number(b[names.length - 1 - n]));
      expect(wins).toEqual(names.map(() => 1));
      await Promise.all(
        names.filter((_, n) => n % 3 === 0).map((name, n) => (n % 2 ? one : other).remove(name)),
      );
    }
  });

  it('put: what one connection has written, the other one reads at once', async () => {
    const [one, other] = await two();
    await putAll(one, [first('a')]);
    expect(namesOf(await other.earliest(10))).toEqual(['a']);
    expect(await other.put([first('a', { expected: 1, due: null })])).toEqual([true]);
    expect(await one.earliest(10)).toEqual([]);
    expect(await other.remove('a')).toBe(true);
    expect(await one.get(['a'])).toEqual([]);
  });

  it('remove: tells whether there was one, and the next version is 1 again', async () => {
    const { schedules } = await beds.connect();
    expect(await schedules.remove('a')).toBe(false);
    await putAll(schedules, [first('a'), first('b')]);
    expect(await schedules.put([first('a', { expected: 1 })])).toEqual([true]);
    expect(await schedules.remove('a')).toBe(true);
    expect(await schedules.remove('a')).toBe(false);
    expect(await schedules.get(['a'])).toEqual([]);
    expect(namesOf(await schedules.page('', 10))).toEqual(['b']);
    expect(namesOf(await schedules.earliest(10))).toEqual(['b']);
    expect(await schedules.put([first('a', { expected: 2 })])).toEqual([false]);
    expect(await schedules.put([first('a')])).toEqual([true]);
    expect(await schedules.get(['a'])).toMatchObject([{ version: 1 }]);
  });

  it('remove and put at once: the put does not bring the removed one back', async () => {
    const [one, other] = await two();
    for (let round = 0; round < 30; round++) {
      await putAll(one, [first('raced')]);
      const [removed, [written]] = await Promise.all([
        one.remove('raced'),
        other.put([first('raced', { expected: 1 })]),
      ]);
      expect(removed).toBe(true);
      expect(typeof written).toBe('boolean');
      expect(await one.get(['raced'])).toEqual([]);
      expect(await other.earliest(10)).toEqual([]);
    }
  });

  it('page: 1,200 names in their order, whatever characters they have', async () => {
    const { schedules } = await beds.connect();
    const unusual = [
      ' ',
      '  two spaces',
      '!',
      '"quoted"',
      "it's",
      '%',
      '%20',
      '_',
      'a',
      'A',
      'a b',
      'a%',
      'a:b',
      'a{b}',
      'aa',
      '[a',
      '(a',
      '\\',
      '\\u0000',
      '`',
      '-',
      '+',
      '*',
      '$1',
      '1',
      '10',
      '9',
      'null',
      'ä',
      'a\u0308',
      'ß',
      'Ω',
      '日報',
      '\u2028',
      '\ufffd',
      'x'.repeat(255),
      '日'.repeat(255),
    ];
    const usual = Array.from(
      { length: 1_200 - unusual.length },
      (_, n) => `Tasks.every${(n * 7_919) % 10_007}`,
    );
    const names = [...unusual, ...usual].sort((a, b) => (a < b ? -1 : 1));
    await putAll(
      schedules,
      [...names].reverse().map((name) => first(name)),
    );
    const found = await all(schedules, 100);
    expect(namesOf(found)).toEqual(names);
    expect(found.every(({ name, body }) => body === first(name).body)).toBe(true);
    expect(namesOf(await all(schedules, 7))).toEqual(names);
    expect(namesOf(await schedules.page('a', 3))).toEqual(
      names.slice(names.indexOf('a') + 1, names.indexOf('a') + 4),
    );
    // The name after which a page begins need not exist.
    expect(namesOf(await schedules.page('a!', 1))).toEqual([names.find((name) => name > 'a!')]);
    expect(await schedules.page('\uffff', 10)).toEqual([]);
    const some = await schedules.get(unusual);
    expect(namesOf(some).sort()).toEqual([...unusual].sort());
    for (const name of unusual) expect(await schedules.remove(name)).toBe(true);
    expect(await schedules.get(unusual)).toEqual([]);
  });

  it('page and earliest have the same order for names beyond the first 65,536 characters', async () => {
    const { schedules } = await beds.connect();
    const names = ['😀', 'ｆ', 'z', '🀄', '\ue000'];
    await putAll(
      schedules,
      names.map((name) => first(name)),
    );
    const paged = namesOf(await all(schedules, 2));
    expect([...paged].sort()).toEqual([...names].sort());
    expect(namesOf(await schedules.earliest(10))).toEqual(paged);
  });

  it('keeps bodies of 100 KB, and every character in them', async () => {
    const { schedules } = await beds.connect();
    const text = JSON.stringify({ text: `"it's" \\ % 日報 😀 ä \u0000 \n ${'0123456789'.repeat(10_000)}` });
    const bodies = ['a', 'b', 'c', 'd', 'e'].map((name) => first(name, { body: text }));
    await putAll(schedules, bodies);
    expect((await schedules.earliest(5)).map(({ body }) => body)).toEqual(bodies.map(({ body }) => body));
    const smaller = first('a', { expected: 1, body: '' });
    expect(await schedules.put([smaller])).toEqual([true]);
    expect(await schedules.get(['a'])).toMatchObject([{ body: '' }]);
  });

  it('10,000: written in 20 steps, and the earliest 100 are the right ones', async () => {
    const { schedules } = await beds.connect();
    const dueOf = (n: number): number => (n * 7_919) % 10_007;
    await putAll(
      schedules,
      Array.from({ length: 10_000 }, (_, n) => first(`schedule ${n}`, { due: dueOf(n) })),
    );
    const found = await schedules.earliest(100);
    const dues = Array.from({ length: 10_000 }, (_, n) => dueOf(n)).sort((a, b) => a - b);
    expect(found.map(({ due }) => due)).toEqual(dues.slice(0, 100));
    const writes = found.map(({ name }) => first(name, { expected: 1, due: null }));
    expect(await schedules.put(writes)).toEqual(writes.map(() => true));
    expect((await schedules.earliest(100)).map(({ due }) => due)).toEqual(dues.slice(100, 200));
  });

  if (!shares) return;

  it('a closed engine answers no call', async () => {
    const { schedules, close } = await beds.connect();
    await putAll(schedules, [first('a')]);
    await close();
    const calls = [
      async () => schedules.earliest(1),
      async () => schedules.get(['a']),
      async () => schedules.page('', 1),
      async () => schedules.put([first('a', { expected: 1 })]),
      async () => schedules.remove('a'),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(ExecutorNotRunningError);
  });

  it('what was written is there after a stop and a new start', async () => {
    const before = await beds.connect();
    await putAll(before.schedules, [first('a'), first('b', { due: null }), first('gone')]);
    expect(await before.schedules.put([first('a', { expected: 1, due: 3 })])).toEqual([true]);
    await before.schedules.remove('gone');
    const kept = await before.schedules.page('', 10);
    await before.close();
    const { schedules } = await beds.connect(before);
    expect(await schedules.page('', 10)).toEqual(kept);
    expect(namesOf(await schedules.earliest(10))).toEqual(['a']);
  });

  it('what was written survives a kill of its process right afterwards', async () => {
    const { schedules, storage } = await beds.connect();
    await putAll(schedules, [first('kept'), first('removed'), first('written')]);
    const fixtures = compileFixtures(join(here, 'fixtures'), `schedules-${process.pid}`);
    const args = [
      '--no-warnings',
      join(fixtures, 'schedule-writer.js'),
      JSON.stringify(engine.elsewhere?.(storage)),
    ];
    const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = (await once(writer.stdout, 'data')) as [Buffer];
    writer.kill('SIGKILL');
    await once(writer, 'close');
    rmSync(fixtures, { recursive: true });
    const { answers, removed } = JSON.parse(output.toString()) as { answers: boolean[]; removed: boolean };
    expect(answers).toEqual([true, ...Array.from({ length: 99 }, () => true), false]);
    expect(removed).toBe(true);
    const { schedules: again } = await beds.connect({ storage, clock: (await beds.connect()).clock });
    for (const store of [schedules, again]) {
      const found = await all(store, 50);
      expect(found).toHaveLength(101);
      expect(await store.get(['kept', 'removed', 'written', 'new 98'])).toHaveLength(3);
      expect(await store.get(['written'])).toEqual([
        { name: 'written', version: 2, due: 5, body: '"again"' },
      ]);
    }
  });
}
