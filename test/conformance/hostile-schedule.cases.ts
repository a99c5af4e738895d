import { Injectable } from '@nestjs/common';
import {
  Cron,
  FlowrraConfigError,
  ScheduleNotFoundError,
  Interval,
  PayloadError,
  Task,
  TaskContext,
  TaskCtx,
  TaskNotFoundError,
} from '../../lib/index.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

const MINUTE = 60_000;
const NO_DATE = new Date(NaN);

@Injectable()
class Ticks {
  readonly ticks: string[] = [];

  @Task()
  tick(_value: string | number, @TaskCtx() { schedule }: TaskContext): void {
    this.ticks.push(schedule?.name ?? '');
  }
}

function decorated(decorate: MethodDecorator) {
  @Injectable()
  class Decorated {
    run(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Decorated.prototype, 'run') as PropertyDescriptor;
  decorate(Decorated.prototype, 'run', descriptor);
  return Decorated;
}

/** Hostile input to schedules, and stored schedules that others have written. */
export function hostileScheduleCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('schedule')) return;

  it.each([
    { every: '1h', jitter: Number.MAX_SAFE_INTEGER },
    { every: '1h', jitter: '1000000d' },
    { every: '1h', start: NO_DATE },
    { every: '1h', end: NO_DATE },
    { every: NaN },
    { every: 0 },
    { every: -1 },
    { cron: '*'.repeat(10_000) },
    { cron: `${'0-59/1,'.repeat(1_400)}0 * * * *` },
    { cron: '0 0 30 2 *' },
    { cron: '2030-01-01T00:00:00' },
    { cron: '* * * * *', timezone: '../../etc/passwd' },
    { cron: '* * * * *', __proto__: null, missed: {} },
  ])('%j is rejected, and nothing is stored', async (rule) => {
    const { app, flowrra } = await beds.start([Ticks]);
    const set = flowrra.schedules.set('x', rule as { every: '1h' }, app.get(Ticks).tick, 1);
    await expect(set).rejects.toThrow(FlowrraConfigError);
    expect(await flowrra.schedules.list()).toEqual([]);
    await expect(flowrra.schedules.preview(rule as { every: '1h' })).rejects.toThrow(FlowrraConfigError);
  });

  it.each<[string, MethodDecorator]>([
    ['@Cron() with a long expression', Cron('*'.repeat(10_000)) as MethodDecorator],
    ['@Cron() with a date', Cron('2030-01-01T00:00:00') as MethodDecorator],
    ['@Interval() of NaN', Interval(NaN) as MethodDecorator],
    ['@Interval() with a huge jitter', Interval('1h', { jitter: '9999d' }) as MethodDecorator],
    ['@Interval() with an invalid start', Interval('1h', { start: NO_DATE }) as MethodDecorator],
    [
      '@Cron() with a control character in its name',
      Cron('* * * * *', { name: 'a\u0000b' }) as MethodDecorator,
    ],
  ])('%s fails the start', async (_, decorate) => {
    await expect(beds.start([decorated(decorate)])).rejects.toThrow(FlowrraConfigError);
  });

  it.each(['', 'x'.repeat(256), 'a\u0000', 'a\nb', '\ud800', null, undefined, 5, {}])(
    '%j is no name',
    async (name) => {
      const { app, flowrra } = await beds.start([Ticks]);
      const { schedules } = flowrra;
      const calls = [
        () => schedules.set(name as string, { every: '1h' }, app.get(Ticks).tick, 1),
        () => schedules.get(name as string),
        () => schedules.pause(name as string),
        () => schedules.remove(name as string),
        () => schedules.trigger(name as string),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(FlowrraConfigError);
    },
  );

  it('names with unusual characters work', async () => {
    const { app, advance, flowrra } = await beds.start([Ticks]);
    const names = [
      ':',
      'a:b:c',
      '*',
      "'; DROP TABLE jobs; --",
      '__proto__',
      'constructor',
      'ä😀',
      ' ',
      '%s',
      '{}',
      '1',
      'x'.repeat(255),
    ];
    for (const name of names) await flowrra.schedules.set(name, { every: '1m' }, app.get(Ticks).tick, 1);
    await advance(MINUTE);
    expect(app.get(Ticks).ticks.toSorted()).toEqual(names.toSorted());
    expect((await flowrra.schedules.list()).map(({ name }) => name)).toEqual(names.toSorted());
    for (const name of names) {
      expect(await flowrra.schedules.get(name)).toMatchObject({ name, counts: { submitted: 1 } });
      expect(await flowrra.schedules.remove(name)).toBe(true);
    }
  });

  it('arguments that cannot be stored, and unknown tasks, are rejected', async () => {
    const { app, flowrra } = await beds.start([Ticks], { maxPayloadBytes: 1_000 });
    const set = (value: unknown) =>
      flowrra.schedules.set('x', { every: '1h' }, app.get(Ticks).tick, value as string);
    const circular: unknown[] = [];
    circular.push(circular);
    for (const value of [() => 1, Symbol('x'), circular, 'x'.repeat(2_000)])
      await expect(set(value)).rejects.toThrow(PayloadError);
    await expect(flowrra.schedules.set('x', { every: '1h' }, 'No.task' as never)).rejects.toThrow(
      TaskNotFoundError,
    );
    expect(await flowrra.schedules.get('x')).toBeNull();
  });

  it('limits: the longest interval, and dates at the end of time', async () => {
    const { app, advance, flowrra } = await beds.start([Ticks]);
    const { tick, ticks } = app.get(Ticks);
    const last = new Date(8_640_000_000_000_000);
    await flowrra.schedules.set('long', { every: Number.MAX_SAFE_INTEGER }, tick, 1);
    await flowrra.schedules.set('late', { every: '1s', start: last }, tick, 1);
    await flowrra.schedules.set('late cron', { cron: '* * * * *', start: last }, tick, 1);
    await flowrra.schedules.set('over', { every: '1s', end: new Date(1) }, tick, 1);
    await flowrra.schedules.set('usual', { every: '1m', start: new Date(-8_640_000_000_000_000) }, tick, 1);
    await advance(3 * MINUTE);
    expect(ticks).toEqual(['usual', 'usual', 'usual']);
    const next = (await flowrra.schedules.list()).map((each) => [each.name, each.next]);
    expect(Object.fromEntries(next)).toMatchObject({ late: last, 'late cron': null, long: null, over: null });
  });

  it('a task that no worker knows any more: its job waits, and other schedules go on', async () => {
    if (engine.cannot.includes('share jobs')) return;
    const producer = await beds.start([], { role: 'producer', remoteTasks: { 'Gone.task': {} } });
    await producer.flowrra.schedules.set('gone', { every: '1m' }, 'Gone.task');
    const worker = await beds.start([Ticks], {}, producer);
    await worker.flowrra.schedules.set('here', { every: '1m' }, worker.app.get(Ticks).tick, 1);
    await worker.advance(3 * MINUTE);
    expect(worker.app.get(Ticks).ticks).toEqual(['here', 'here', 'here']);
    const { counts } = (await worker.flowrra.schedules.get('gone')) ?? {};
    expect(counts).toMatchObject({ submitted: 1, overlapped: 2 });
  });

  it('stored texts of others stop no other schedule, and are replaced by set() and removed by remove()', async () => {
    if (engine.cannot.includes('share jobs')) return;
    const connection = await beds.connect();
    const bodies = ['not JSON', '{}', 'null', '{"version":9}', '[]'];
    await connection.schedules.put(
      bodies.map((body, n) => ({ name: `bad ${n}`, expected: 0, due: n, body })),
    );
    const { app, advance, flowrra } = await beds.start([Ticks], {}, connection);
    const { tick, ticks } = app.get(Ticks);
    await flowrra.schedules.set('good', { every: '1m' }, tick, 1);
    await advance(2 * MINUTE);
    expect(ticks).toEqual(['good', 'good']);
    expect((await flowrra.schedules.list()).map(({ name }) => name)).toEqual(['good']);
    expect(await flowrra.schedules.get('bad 0')).toBeNull();
    await expect(flowrra.schedules.pause('bad 0')).rejects.toThrow(ScheduleNotFoundError);
    await flowrra.schedules.set('bad 0', { every: '1m' }, tick, 1);
    expect(await flowrra.schedules.remove('bad 1')).toBe(true);
    await advance(MINUTE);
    expect(ticks.slice(2).toSorted()).toEqual(['bad 0', 'good']);
  });
}
