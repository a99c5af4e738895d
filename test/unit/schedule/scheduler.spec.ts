import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { occurrenceId } from '../../../lib/job/schedule/schedule.js';
import { Gate } from '../../support/gate.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { DAY, declaredOf, HOUR, MINUTE, scheduleOf, SECOND, World } from './schedules.js';

let errors: jest.SpiedFunction<Logger['error']>;
const started: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
});
afterEach(async () => {
  for (const scheduler of started.splice(0)) await scheduler.stop();
  jest.restoreAllMocks();
});

async function start(world: World, options: Parameters<World['worker']>[0] = {}) {
  const worker = world.worker(options);
  started.push(worker.scheduler);
  await worker.scheduler.start();
  await settle();
  return worker;
}

/** The time until the next whole minute. */
const untilDue = ({ clock }: World): number => MINUTE - (clock.now() % MINUTE);

const every = (world: World, name: string, ms: number, values: object = {}) =>
  scheduleOf(name, { every: ms, ...values }, world.clock.now());

it('with any number of schedules, there is one timer; after the stop there is none, and nothing happens', async () => {
  const world = new World();
  await world.add(...[1, 2, 3].map((n) => every(world, `s${n}`, n * MINUTE)));
  const { scheduler } = await start(world);
  expect(world.clock.armed).toBe(1);
  await world.clock.advance(10 * MINUTE);
  expect(world.clock.armed).toBe(1);
  expect([1, 2, 3].map((n) => world.jobs(`s${n}`).length)).toEqual([10, 5, 3]);
  await scheduler.stop();
  expect(world.clock.armed).toBe(0);
  scheduler.wake();
  const calls = world.store.calls.length;
  await world.clock.advance(HOUR);
  expect(world.store.calls).toHaveLength(calls);
  expect(world.sent).toHaveLength(18);
});

it('without a schedule, no timer runs', async () => {
  const world = new World();
  const { scheduler } = await start(world);
  expect(world.clock.armed).toBe(0);
  await world.add(every(world, 'late', MINUTE));
  scheduler.wake();
  await world.clock.advance(MINUTE);
  expect(world.jobs('late')).toHaveLength(1);
});

it('a stop waits for an occurrence that is being handled', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  const { scheduler } = await start(world);
  const gate = new Gate();
  world.submitting = () => gate.passed;
  await world.clock.advance(MINUTE);
  let stopped = false;
  const stop = scheduler.stop().then(() => (stopped = true));
  await settle();
  expect(stopped).toBe(false);
  gate.open();
  await stop;
  expect(await world.schedule('a')).toMatchObject({ counts: { submitted: 1 }, submitting: [] });
});

it('a stop waits at most one second for a store that does not answer, and logs nothing about it', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  const { scheduler } = await start(world);
  const gate = new Gate();
  world.store.before = (method) => (method === 'put' ? gate.passed : undefined);
  await world.clock.advance(MINUTE);
  const stop = scheduler.stop();
  await world.clock.advance(SECOND);
  await stop;
  expect(world.clock.armed).toBe(0);
  // The stop closes the store.
  gate.fail(new Error('closed'));
  await scheduler.idle();
  expect(world.clock.armed).toBe(0);
  expect(errors).not.toHaveBeenCalled();
});

it('a stop while the declared schedules are stored leaves no timer', async () => {
  const world = new World();
  const gate = new Gate();
  world.store.before = () => gate.passed;
  const declared = [declaredOf('a', { every: '1m' })];
  const { scheduler } = world.worker({ isShared: true, declared });
  const polls = jest.spyOn(globalThis, 'setInterval');
  const begun = scheduler.start();
  await scheduler.stop();
  gate.open();
  await begun;
  expect(polls).not.toHaveBeenCalled();
  expect(world.clock.armed).toBe(0);
});

it('a stop decides about no further schedule that is late', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE, { missed: 'all' }), every(world, 'b', MINUTE, { missed: 'all' }));
  world.clock.sleep(HOUR);
  const { scheduler } = world.worker();
  started.push(scheduler);
  await scheduler.start();
  let decided = 0;
  world.submitting = () => void decided++;
  void scheduler.stop();
  await scheduler.idle();
  expect(decided).toBe(0);
});

it('each submitted occurrence is told once, after it is stored', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  const { handled } = await start(world);
  await world.clock.advance(3 * MINUTE);
  expect(handled.map(({ kind, at }) => [kind, at])).toEqual(
    world.jobs('a').map(({ at }) => ['submitted', at]),
  );
  expect((await world.schedule('a')).history).toEqual(handled.toReversed());
});

it('300 schedules that are due at once are all handled, with a few writes', async () => {
  const world = new World();
  const names = Array.from({ length: 300 }, (_, n) => `s${n}`);
  await world.add(...names.map((name) => every(world, name, HOUR)));
  await start(world);
  world.store.calls.length = 0;
  await world.clock.advance(HOUR);
  for (const name of names) expect(world.jobs(name)).toHaveLength(1);
  expect(world.store.calls.filter((method) => method === 'put').length).toBeLessThanOrEqual(6);
});

it('a submission that fails is tried again each second, and the other schedules go on', async () => {
  const world = new World();
  await world.add(every(world, 'bad', MINUTE), every(world, 'good', MINUTE));
  await start(world);
  let tries = 0;
  world.submitting = ({ name }) => {
    if (name === 'bad' && ++tries <= 5) throw new Error('full');
  };
  await world.clock.advance(untilDue(world));
  expect([world.jobs('good').length, world.jobs('bad').length]).toEqual([1, 0]);
  await world.clock.advance(10 * SECOND);
  expect(tries).toBe(6);
  expect(world.jobs('bad')).toEqual([expect.objectContaining({ at: world.jobs('good')[0]?.at, missed: 0 })]);
  expect(errors).toHaveBeenCalledTimes(1);
  expect(errors.mock.calls[0]?.[0]).toMatch(
    /^The schedule 'bad' could not be handled, .* 1000 ms: Error: full/,
  );
});

it('schedules that fail for long hide no others, however many they are', async () => {
  const world = new World();
  await world.add(
    ...Array.from({ length: 500 }, (_, n) => every(world, `bad${n}`, MINUTE, { missed: 'all' })),
  );
  await world.add(every(world, 'good', MINUTE));
  world.submitting = ({ name }) => {
    if (name.startsWith('bad')) throw new Error('full');
  };
  await start(world);
  await world.clock.advance(5 * MINUTE);
  expect(world.jobs('good')).toHaveLength(5);
  // It is logged twice a minute at most.
  expect(errors.mock.calls.length).toBeLessThanOrEqual(10);
});

it('while the store cannot be read, it is asked once a second; then everything that is due runs', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  await start(world);
  world.store.before = () => {
    throw new Error('away');
  };
  await world.clock.advance(untilDue(world));
  world.store.calls.length = 0;
  await world.clock.advance(29 * SECOND);
  expect(world.store.calls.length).toBeLessThanOrEqual(30);
  expect(errors).toHaveBeenCalledTimes(1);
  expect(errors.mock.calls[0]?.[0]).toMatch(/^Schedules could not be read, .*away/);
  world.store.before = () => undefined;
  await world.clock.advance(MINUTE);
  expect(world.jobs('a')).toHaveLength(2);
});

it('while the store cannot be written, it is asked once a second, and no job is submitted without a decision', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  await start(world);
  world.store.before = (method) => {
    if (method === 'put') throw new Error('read-only');
  };
  await world.clock.advance(untilDue(world));
  world.store.calls.length = 0;
  await world.clock.advance(10 * SECOND);
  expect(world.sent).toEqual([]);
  expect(world.store.calls.filter((method) => method === 'put').length).toBeLessThanOrEqual(12);
  world.store.before = () => undefined;
  await world.clock.advance(2 * SECOND);
  expect(world.jobs('a')).toHaveLength(1);
});

describe('of two workers', () => {
  const two = async (world: World) => {
    const clocks = [world.clock, world.clock];
    return Promise.all(
      clocks.map((clock, n) => start(world, { isShared: true, clock, name: `worker ${n}` })),
    );
  };

  it('each occurrence has one job and one record', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE), every(world, 'b', MINUTE, { overlap: 'allow' }));
    const workers = await two(world);
    await world.clock.advance(20 * MINUTE);
    for (const name of ['a', 'b']) {
      expect(world.jobs(name)).toHaveLength(20);
      expect((await world.schedule(name)).counts).toEqual({ submitted: 20, missed: 0, overlapped: 0 });
    }
    expect(workers.flatMap(({ handled }) => handled)).toHaveLength(40);
  });

  it('only the one whose decision is stored submits: no occurrence both runs and is skipped', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    await start(world, { isShared: true });
    await world.clock.advance(MINUTE);
    const [first] = world.jobs('a');
    // One worker sees the previous job running, and the other one sees its end.
    const { occurrences: one, records } = world.worker({ isShared: true, name: 'one' });
    const { occurrences: other } = world.worker({ isShared: true, name: 'other' });
    for (const { scheduler } of [{ scheduler: started.pop() }]) await scheduler?.stop();
    world.clock.sleep(MINUTE);
    const { version, schedule } = (await records.get('a')) ?? {
      version: 0,
      schedule: every(world, 'a', MINUTE),
    };
    world.status.set(first?.taskId ?? '', 'running');
    const busy = await one.decide(schedule);
    world.status.set(first?.taskId ?? '', 'success');
    const free = await other.decide(schedule);
    expect([busy.skipped.length, free.schedule.submitting.length]).toEqual([1, 1]);
    expect(await records.write(version, busy.schedule)).toBe(true);
    expect(await records.write(version, free.schedule)).toBe(false);
    expect(world.jobs('a')).toHaveLength(1);
  });

  it.each(['before', 'after'])(
    'a crash %s the submission: the other one submits the same job, and records it once',
    async (moment) => {
      const world = new World();
      await world.add(every(world, 'a', MINUTE));
      const { occurrences, records } = world.worker({ isShared: true, name: 'crashed' });
      world.clock.sleep(MINUTE);
      const found = await records.get('a');
      const { schedule } = await occurrences.decide(found?.schedule as never);
      await records.write(found?.version ?? 0, schedule);
      if (moment === 'after') await occurrences.submit(schedule);
      const { handled } = await start(world, { isShared: true, name: 'other' });
      await world.clock.advance(6 * SECOND);
      expect(world.jobs('a')).toHaveLength(1);
      expect(handled).toHaveLength(1);
      expect(await world.schedule('a')).toMatchObject({
        counts: { submitted: 1 },
        submitting: [],
        lastTaskId: world.jobs('a')[0]?.taskId,
      });
    },
  );

  it('the timer of the next occurrence stays armed while the store is read again', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    const { scheduler } = await start(world, { isShared: true });
    await scheduler.idle();
    const armed = world.clock.armed;
    scheduler.wake();
    expect(world.clock.armed).toBe(armed);
    // The time passes before that read has ended.
    world.clock.sleep(MINUTE);
    await scheduler.idle();
    await world.clock.advance(0);
    expect(world.jobs('a')).toHaveLength(1);
  });

  it('a pause after a decision whose worker has died loses no occurrence, and lets no further one begin', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    const { occurrences, records } = world.worker({ isShared: true, name: 'crashed' });
    world.clock.sleep(MINUTE);
    const found = await records.get('a');
    const { schedule } = await occurrences.decide(found?.schedule as never);
    await records.write(found?.version ?? 0, schedule);
    const paused = { at: world.clock.now(), reason: null, by: null };
    await records.change('a', (stored) => stored && { ...stored, paused });
    await start(world, { isShared: true, name: 'other' });
    await world.clock.advance(5 * MINUTE);
    expect(world.jobs('a')).toHaveLength(1);
    expect(await world.schedule('a')).toMatchObject({ counts: { submitted: 1 }, submitting: [], paused });
  });

  it('a slow submission that the other one repeats is recorded once', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    const gate = new Gate();
    let slow = true;
    world.submitting = () => {
      const wait = slow ? gate.passed : undefined;
      slow = false;
      return wait;
    };
    const workers = await two(world);
    await world.clock.advance(MINUTE + 5 * SECOND);
    gate.open();
    await world.clock.advance(SECOND);
    expect(world.sent).toHaveLength(2);
    expect(world.jobs('a')).toHaveLength(1);
    expect(workers.flatMap(({ handled }) => handled)).toHaveLength(1);
    expect((await world.schedule('a')).counts.submitted).toBe(1);
  });

  it('a pause between the decision and its record stays, and the job is recorded', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    const { handled } = await start(world);
    const paused = { at: 1, reason: 'r', by: null };
    world.submitting = async () =>
      void (await world.records.change('a', (found) => found && { ...found, paused }));
    await world.clock.advance(MINUTE);
    expect(await world.schedule('a')).toMatchObject({ paused, counts: { submitted: 1 }, submitting: [] });
    expect(handled).toHaveLength(1);
    await world.clock.advance(HOUR);
    expect(world.jobs('a')).toHaveLength(1);
  });

  it('a schedule that is removed while it is handled does not come back', async () => {
    const world = new World();
    await world.add(every(world, 'a', MINUTE));
    await start(world);
    world.submitting = async () => void (await world.records.remove('a'));
    await world.clock.advance(HOUR);
    expect(await world.records.get('a')).toBeNull();
    expect(world.jobs('a')).toHaveLength(1);
  });
});

describe('stored schedules that cannot be read', () => {
  it.each([
    'no JSON',
    '',
    '{}',
    'null',
    '[]',
    '5',
    '{"name":"bad","version":2}',
    JSON.stringify({ ...scheduleOf('other', { every: '1m' }, 0) }),
    JSON.stringify({ ...scheduleOf('bad', { every: '1m' }, 0), history: null }),
    JSON.stringify({ ...scheduleOf('bad', { every: '1m' }, 0), rule: {} }),
    JSON.stringify({ ...scheduleOf('bad', { every: '1m' }, 0), nextRun: 'soon' }),
  ])('%s: the others go on, it is logged once, and it can be set again', async (body) => {
    const world = new World();
    world.store.kept.put(
      Array.from({ length: 30 }, (_, n) => ({
        name: n === 0 ? 'bad' : `bad${n}`,
        expected: 0,
        due: n,
        body,
      })),
    );
    await world.add(every(world, 'good', MINUTE));
    await start(world);
    await world.clock.advance(5 * MINUTE);
    expect(world.jobs('good')).toHaveLength(5);
    const lines = errors.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("'bad'"));
    expect(lines).toEqual([expect.stringMatching(/^The stored schedule 'bad' has no occurrences here/)]);
    await world.records.change('bad', (found) => {
      expect(found).toBeNull();
      return every(world, 'bad', MINUTE);
    });
    await world.clock.advance(MINUTE);
    expect(world.jobs('bad')).toHaveLength(1);
  });

  it('a schedule with invalid times is logged as one that could not be handled, and the others go on', async () => {
    const world = new World();
    const bad = every(world, 'bad', MINUTE);
    await world.add({ ...bad, rule: { ...bad.rule, timing: { cron: 'nonsense', timezone: 'Mars' } } });
    await world.add(every(world, 'good', MINUTE));
    await start(world);
    await world.clock.advance(2 * MINUTE);
    expect(world.jobs('good')).toHaveLength(2);
    expect(errors.mock.calls[0]?.[0]).toMatch(/^The schedule 'bad' could not be handled/);
  });
});

describe('a clock that is wrong for a while', () => {
  it.each([
    ['10 s', 10 * SECOND],
    ['2 min', 2 * MINUTE],
    ['1 day', DAY],
    ['10 years', 3_650 * DAY],
  ])('%s ahead and back: the schedule goes on, and no occurrence has two jobs', async (_, ms) => {
    const world = new World();
    await world.add(...['skip', 'once', 'all'].map((missed) => every(world, missed, MINUTE, { missed })));
    await start(world);
    await world.clock.advance(5 * MINUTE);
    world.clock.jump(ms);
    await world.clock.advance(3 * MINUTE);
    world.clock.jump(-ms);
    const back = world.clock.now();
    await world.clock.advance(10 * MINUTE);
    for (const name of ['skip', 'once', 'all']) {
      // All of the occurrences of the right time after the clock was put right have run, once.
      const times = world
        .jobs(name)
        .map(({ at }) => at)
        .filter((at) => at > back + MINUTE && at <= back + 10 * MINUTE);
      const first = Math.floor((back + MINUTE) / MINUTE) * MINUTE + MINUTE;
      const expected: number[] = [];
      for (let at = first; at <= back + 10 * MINUTE; at += MINUTE) expected.push(at);
      expect([...new Set(times)].sort()).toEqual(expected);
      for (const { taskId, at } of world.sent.filter((sent) => sent.name === name))
        expect(taskId).toBe(occurrenceId(name, at));
    }
  });

  it.each([
    ['10 s', 10 * SECOND],
    ['2 min', 2 * MINUTE],
    ['1 day', DAY],
    ['10 years', 3_650 * DAY],
  ])('%s behind and back: no occurrence is lost on return', async (_, ms) => {
    const world = new World();
    await world.add(...['skip', 'once', 'all'].map((missed) => every(world, missed, MINUTE, { missed })));
    await start(world);
    await world.clock.advance(5 * MINUTE);
    world.clock.jump(-ms);
    await world.clock.advance(3 * MINUTE);
    world.clock.jump(ms);
    const back = world.clock.now();
    await world.clock.advance(10 * MINUTE);
    for (const name of ['skip', 'once', 'all']) {
      const after = new Set(
        world
          .jobs(name)
          .map(({ at }) => at)
          .filter((at) => at > back),
      );
      expect(after.size).toBe(10);
    }
  });

  it('a process that stands still for a day handles what it missed by its policy, without a job too many', async () => {
    const world = new World();
    const zone = { cron: '0 * * * *', timezone: 'Europe/Berlin' };
    for (const missed of ['skip', 'once', 'all'] as const)
      await world.add(scheduleOf(missed, { ...zone, missed }, world.clock.now()));
    await start(world);
    world.clock.sleep(DAY);
    await world.clock.advance(HOUR);
    expect(world.jobs('skip')).toHaveLength(1);
    expect(world.jobs('once').map(({ missed }) => missed)).toEqual([24, 0]);
    expect(world.jobs('all')).toHaveLength(25);
    expect((await world.schedule('skip')).counts).toEqual({ submitted: 1, missed: 24, overlapped: 0 });
  });
});

it('clocks that differ by a second in a fleet: one job for each occurrence', async () => {
  const world = new World();
  await world.add(every(world, 'a', MINUTE));
  const ahead = new ManualClock();
  ahead.jump(SECOND);
  await start(world, { isShared: true, name: 'right' });
  await start(world, { isShared: true, name: 'ahead', clock: ahead });
  for (let n = 0; n < 30; n++) {
    await ahead.advance(20 * SECOND);
    await world.clock.advance(20 * SECOND);
  }
  const times = world.jobs('a').map(({ at }) => at);
  expect(times).toEqual(times.map((_, n) => (times[0] ?? 0) + n * MINUTE));
  expect(times.length).toBeGreaterThanOrEqual(10);
  expect((await world.schedule('a')).counts.submitted).toBe(times.length);
});
