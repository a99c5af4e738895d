import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { declaredOf, DAY, HOUR, MINUTE, scheduleOf, World } from './schedules.js';

let warnings: jest.SpiedFunction<Logger['warn']>;

beforeEach(() => {
  warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => jest.restoreAllMocks());

const hourly = declaredOf('a', { every: HOUR });
const halfHourly = declaredOf('a', { every: HOUR / 2 });

it('the first worker stores a declaration, and the same one again keeps its past', async () => {
  const world = new World();
  await world.worker({ isShared: true, declared: [hourly] }).declarations.declare();
  const now = world.clock.now();
  expect(await world.schedule('a')).toMatchObject({ declared: { at: now, seenAt: now }, orphaned: false });
  const counts = { submitted: 7, missed: 0, overlapped: 0 };
  await world.records.change('a', (found) => found && { ...found, counts, nextRun: 5 });
  world.clock.sleep(MINUTE);
  await world.worker({ isShared: true, declared: [hourly] }).declarations.declare();
  expect(await world.schedule('a')).toMatchObject({ counts, nextRun: 5, declared: { at: now + MINUTE } });
});

it('other times of a newer process count, from now on; an older process does not undo them', async () => {
  const world = new World();
  const older = world.worker({ isShared: true, declared: [hourly] });
  await older.declarations.declare();
  world.clock.sleep(MINUTE);
  const newer = world.worker({ isShared: true, declared: [halfHourly] });
  await newer.declarations.declare();
  const changed = await world.schedule('a');
  expect(changed.rule.timing).toMatchObject({ every: HOUR / 2 });
  expect(changed.nextRun).toBe(Math.ceil(world.clock.now() / (HOUR / 2)) * (HOUR / 2));
  await older.declarations.declare();
  expect(await world.schedule('a')).toEqual(changed);
  world.clock.sleep(MINUTE);
  await older.declarations.keepUp();
  expect(await world.schedule('a')).toMatchObject({
    rule: changed.rule,
    declared: { at: changed.declared?.at, seenAt: world.clock.now() },
  });
});

it('a turned-off declaration stores none, stops a stored one, and is undone by a newer process', async () => {
  const world = new World();
  const off = world.worker({ isShared: true, declared: [declaredOf('a', false)] });
  await off.declarations.declare();
  expect(await world.records.get('a')).toBeNull();
  await world.worker({ isShared: true, declared: [hourly] }).declarations.declare();
  world.clock.sleep(1);
  const later = world.worker({ isShared: true, declared: [declaredOf('a', false)] });
  await later.declarations.declare();
  const stopped = await world.schedule('a');
  expect(stopped.orphaned).toBe(true);
  expect(later.declarations.mayHandle(stopped)).toBe(false);
  world.clock.sleep(DAY);
  await world.worker({ isShared: true, declared: [hourly] }).declarations.declare();
  const again = await world.schedule('a');
  expect(again.orphaned).toBe(false);
  // The occurrences of the meantime do not count.
  expect(again.nextRun).toBeGreaterThan(world.clock.now());
});

it('a turned-off declaration leaves a schedule of run time as it is', async () => {
  const world = new World();
  await world.add(scheduleOf('a', { every: HOUR }, world.clock.now()));
  await world.worker({ isShared: true, declared: [declaredOf('a', false)] }).declarations.declare();
  expect(await world.schedule('a')).toMatchObject({ declared: null, orphaned: false });
});

it('a schedule that no worker has declared for 3 minutes becomes an orphan, once, and a worker brings it back', async () => {
  const world = new World();
  const own = world.worker({ isShared: true, declared: [hourly] });
  await own.declarations.declare();
  const other = world.worker({ isShared: true });
  const look = async (): Promise<boolean> => {
    const found = await world.records.get('a');
    return found !== null && other.declarations.orphan(found.version, found.schedule);
  };
  world.clock.sleep(3 * MINUTE);
  expect(await look()).toBe(false);
  world.clock.sleep(1);
  expect(await look()).toBe(true);
  expect(await world.schedule('a')).toMatchObject({ orphaned: true });
  expect(warnings.mock.calls.map(([line]) => line)).toEqual([
    expect.stringMatching(/'a' of 'task' has no occurrences any more/),
  ]);
  await own.declarations.keepUp();
  expect(await world.schedule('a')).toMatchObject({
    orphaned: false,
    declared: { seenAt: world.clock.now() },
  });
});

it('of several workers, few mark a declaration as seen', async () => {
  const world = new World();
  const workers = Array.from({ length: 10 }, () => world.worker({ isShared: true, declared: [hourly] }));
  for (const { declarations } of workers) await declarations.declare();
  world.store.calls.length = 0;
  for (let n = 0; n < 10; n++) {
    world.clock.sleep(MINUTE);
    for (const { declarations } of workers) await declarations.keepUp();
  }
  expect(world.store.calls.filter((method) => method === 'put')).toHaveLength(10);
  expect(await world.schedule('a')).toMatchObject({ orphaned: false });
});

it('conflicts with other processes: each write is repeated with what they have written', async () => {
  const world = new World();
  const names = Array.from({ length: 1_200 }, (_, n) => `s${n}`);
  const declared = names.map((name) => declaredOf(name, { every: HOUR }));
  const paused = { at: 1, reason: null, by: null };
  let times = 0;
  world.store.before = (method) => {
    if (method !== 'put' || ++times > 3) return;
    // Another process stores one of them first.
    const name = `s${(times - 1) * 500 + 1}`;
    const [stored] = world.store.kept.get([name]);
    const schedule = scheduleOf(name, { every: HOUR }, 0, { paused });
    world.store.kept.put([
      { name, expected: stored?.version ?? 0, due: null, body: JSON.stringify(schedule) },
    ]);
  };
  await world.worker({ isShared: true, declared }).declarations.declare();
  for (const name of names) expect((await world.schedule(name)).declared).not.toBeNull();
  expect((await world.schedule('s1')).paused).toEqual(paused);
});

it('a clock that was set back: next occurrences come back from the future', async () => {
  const world = new World();
  const { declarations } = world.worker({ isShared: true, declared: [hourly] });
  await declarations.declare();
  const now = world.clock.now();
  const future = now + 30 * DAY;
  const past = { at: future, handledAt: future, kind: 'submitted', missed: 0, taskId: 'x' } as const;
  await world.records.change('a', (found) => found && { ...found, nextRun: future + HOUR, history: [past] });
  world.clock.jump(30 * DAY);
  await declarations.keepUp();
  world.clock.jump(-30 * DAY);
  await declarations.keepUp();
  expect((await world.schedule('a')).nextRun).toBe(Math.ceil(now / HOUR) * HOUR);
});

describe('a change', () => {
  const raced = (world: World, times: number): void => {
    let n = 0;
    world.store.before = (method) => {
      const [stored] = world.store.kept.get(['a']);
      if (method === 'put' && stored !== undefined && ++n <= times)
        world.store.kept.put([{ ...stored, expected: stored.version }]);
    };
  };

  it('is repeated with the newest schedule, up to 20 times', async () => {
    const world = new World();
    await world.add(scheduleOf('a', { every: HOUR }, world.clock.now()));
    raced(world, 19);
    let calls = 0;
    const changed = await world.records.change('a', (found) => (calls++, found && { ...found, nextRun: 5 }));
    expect([calls, changed?.nextRun, (await world.schedule('a')).nextRun]).toEqual([20, 5, 5]);
  });

  it('rejects if others go on changing the schedule, and says so', async () => {
    const world = new World();
    await world.add(scheduleOf('a', { every: HOUR }, world.clock.now()));
    raced(world, Infinity);
    await expect(world.records.change('a', (found) => found && { ...found, nextRun: 5 })).rejects.toThrow(
      /'a' was changed by other processes 20 times.*Try again/,
    );
    expect((await world.schedule('a')).nextRun).not.toBe(5);
  });

  it('that changes nothing writes nothing', async () => {
    const world = new World();
    expect(await world.records.change('a', () => null)).toBeNull();
    expect(world.store.calls).toEqual(['get']);
  });
});
