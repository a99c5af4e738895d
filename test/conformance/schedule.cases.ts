import { Injectable } from '@nestjs/common';
import {
  Cron,
  FlowrraConfigError,
  Interval,
  ScheduleNotFoundError,
  Task,
  TaskContext,
  TaskCtx,
  type TaskSchedule,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

@Injectable()
class Reports {
  readonly daily: TaskSchedule[] = [];
  readonly polls: Date[] = [];
  readonly tenants: string[] = [];

  @Cron('0 6 * * *', { timezone: 'Europe/Berlin' })
  report(@TaskCtx() { schedule }: TaskContext): void {
    if (schedule !== null) this.daily.push(schedule);
  }

  @Interval('15m', { name: 'poll' })
  @Task({ maxRetries: 0 })
  poll(@TaskCtx() { schedule }: TaskContext): void {
    if (schedule !== null) this.polls.push(schedule.at);
  }

  @Task()
  sync(tenant: string, @TaskCtx() ctx: TaskContext): string {
    this.tenants.push(`${tenant} ${ctx.schedule?.name ?? 'by hand'} ${ctx.schedule?.missed ?? ''}`.trim());
    return tenant;
  }
}

@Injectable()
class Slow {
  started = 0;
  gates: Gate<void>[] = [];

  @Task()
  async work(): Promise<void> {
    this.started++;
    const gate = new Gate<void>();
    this.gates.push(gate);
    await gate.passed;
  }

  end(): void {
    this.gates.shift()?.open();
  }
}

@Injectable()
class Poller {
  readonly polled: string[] = [];

  @Task()
  poll(by: string): void {
    this.polled.push(by);
  }
}

/** Schedules, of decorators and of run time. */
export function scheduleCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('schedule')) return rejectedCases(beds);
  if (!engine.cannot.includes('share jobs')) sharedCases(beds);

  it('a method with @Cron() or @Interval() is a task that runs at its times', async () => {
    const { app, advance, clock, flowrra } = await beds.start([Reports]);
    const reports = app.get(Reports);
    const started = clock.now();
    await advance(DAY);
    expect(reports.daily).toHaveLength(1);
    const [first] = reports.daily as [TaskSchedule];
    expect(first).toMatchObject({ name: 'Reports.report', missed: 0, manual: false });
    expect(first.at.toLocaleString('sv', { timeZone: 'Europe/Berlin' })).toMatch(/ 06:00:00$/);
    expect(reports.polls).toHaveLength(96);
    for (const at of reports.polls) expect(at.getTime() % (15 * MINUTE)).toBe(0);
    expect(reports.polls[0]?.getTime()).toBeGreaterThan(started);
    const id = await flowrra.submit(reports.report);
    await advance(0);
    await flowrra.waitForResult(id);
    expect(reports.daily).toHaveLength(1);
  });

  it('a schedule of run time calls its task with its arguments, and can be read', async () => {
    const { app, advance, flowrra, clock } = await beds.start([Reports], { resultTtl: '1d' });
    const reports = app.get(Reports);
    await flowrra.schedules.set('sync:acme', { every: '1h' }, reports.sync, 'acme');
    await flowrra.schedules.set('sync:acme', { every: '1h' }, reports.sync, 'acme');
    await advance(3 * HOUR);
    expect(reports.tenants).toEqual(Array.from({ length: 3 }, () => 'acme sync:acme 0'));
    const found = await flowrra.schedules.get('sync:acme');
    expect(found).toMatchObject({
      task: 'Reports.sync',
      cron: null,
      every: HOUR,
      paused: null,
      declared: false,
      orphaned: false,
      counts: { submitted: 3, missed: 0, overlapped: 0 },
    });
    expect(found?.next?.getTime()).toBe(Math.ceil((clock.now() + 1) / HOUR) * HOUR);
    expect(found?.history.map(({ kind, status }) => `${kind} ${status}`)).toEqual(
      Array.from({ length: 3 }, () => 'submitted success'),
    );
    expect((await flowrra.schedules.list()).map(({ name }) => name)).toEqual([
      'Reports.report',
      'poll',
      'sync:acme',
    ]);
    expect(await flowrra.schedules.preview('sync:acme', 2)).toEqual([
      found?.next,
      new Date((found?.next?.getTime() ?? 0) + HOUR),
    ]);
    expect(await flowrra.schedules.remove('sync:acme')).toBe(true);
    expect(await flowrra.schedules.remove('sync:acme')).toBe(false);
    await advance(2 * HOUR);
    expect(reports.tenants).toHaveLength(3);
  });

  it('the history has the newest 20 occurrences, newest first', async () => {
    const { app, advance, flowrra } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    await flowrra.schedules.set('sync', { every: '1m' }, sync, 'acme');
    const historyAfter = async (minutes: number): Promise<number[]> => {
      await advance(minutes * MINUTE);
      const found = await flowrra.schedules.get('sync');
      return found?.history.map(({ at }) => at.getTime()) ?? [];
    };
    const first20 = await historyAfter(20);
    expect(first20).toHaveLength(20);
    const newest = first20[0] as number;
    const expected = Array.from({ length: 20 }, (_, n) => newest + (3 - n) * MINUTE);
    expect(await historyAfter(3)).toEqual(expected);
    expect(tenants).toHaveLength(23);
    expect((await flowrra.schedules.get('sync'))?.counts.submitted).toBe(23);
  });

  it('a pause leaves out the occurrences of its time, and a trigger uses up none', async () => {
    const { app, advance, flowrra } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    await flowrra.schedules.set('sync', { every: '1h' }, sync, 'acme');
    await flowrra.schedules.pause('sync', { reason: 'migration', by: 'ada' });
    await advance(5 * HOUR);
    expect(tenants).toEqual([]);
    expect(await flowrra.schedules.get('sync')).toMatchObject({
      paused: { reason: 'migration', by: 'ada' },
      next: null,
    });
    const taskId = await flowrra.schedules.trigger('sync');
    await advance(0);
    await flowrra.waitForResult(taskId);
    await flowrra.schedules.resume('sync');
    await advance(HOUR);
    expect(tenants).toEqual(['acme sync 0', 'acme sync 0']);
    expect((await flowrra.schedules.get('sync'))?.history.map(({ kind }) => kind)).toEqual([
      'submitted',
      'triggered',
    ]);
  });

  it('an occurrence is skipped while the previous job is unfinished', async () => {
    const { app, advance, flowrra, seen } = await beds.start([Slow]);
    const slow = app.get(Slow);
    await flowrra.schedules.set('slow', { every: '1m' }, slow.work);
    await advance(3 * MINUTE);
    expect(slow.started).toBe(1);
    expect((await flowrra.schedules.get('slow'))?.counts).toEqual({ submitted: 1, missed: 0, overlapped: 2 });
    const skipped = seen.filter(({ type }) => type === 'occurrenceSkipped');
    expect(skipped).toHaveLength(2);
    expect(skipped[0]).toMatchObject({ schedule: 'slow', reason: 'overlap', count: 1 });
    slow.end();
    await advance(MINUTE);
    expect(slow.started).toBe(2);
    slow.end();
    await advance(0);
  });

  it("with overlap: 'queue', one occurrence waits for the end of the previous job", async () => {
    const { app, advance, flowrra } = await beds.start([Slow]);
    const slow = app.get(Slow);
    await flowrra.schedules.set('slow', { every: '1m', overlap: 'queue' }, slow.work);
    await advance(3 * MINUTE);
    expect(slow.started).toBe(1);
    slow.end();
    await advance(2 * SECOND);
    expect(slow.started).toBe(2);
    expect((await flowrra.schedules.get('slow'))?.counts).toEqual({ submitted: 2, missed: 0, overlapped: 1 });
    slow.end();
    await advance(2 * SECOND);
    expect(slow.started).toBe(2);
  });

  it("with overlap: 'allow', jobs run side by side", async () => {
    const { app, advance, flowrra } = await beds.start([Slow]);
    const slow = app.get(Slow);
    await flowrra.schedules.set('slow', { every: '1m', overlap: 'allow' }, slow.work);
    await advance(3 * MINUTE);
    expect(slow.started).toBe(3);
    for (let n = 0; n < 3; n++) slow.end();
    await advance(0);
  });

  it('missed occurrences are skipped, made up for by one job, or by one each', async () => {
    const { app, advance, flowrra, clock } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    await flowrra.schedules.set('skip', { every: '1h' }, sync, 'skip');
    await flowrra.schedules.set('once', { every: '1h', missed: 'once' }, sync, 'once');
    await flowrra.schedules.set('all', { every: '1h', missed: 'all' }, sync, 'all');
    clock.sleep(10 * HOUR);
    await advance(MINUTE + SECOND);
    expect(tenants.filter((each) => each.startsWith('skip'))).toEqual([]);
    expect(tenants.filter((each) => each.startsWith('once'))).toEqual(['once once 10']);
    expect(tenants.filter((each) => each.startsWith('all'))).toEqual(
      Array.from({ length: 10 }, () => 'all all 1'),
    );
    expect((await flowrra.schedules.get('skip'))?.counts).toMatchObject({ submitted: 0, missed: 10 });
    await advance(HOUR);
    expect(tenants.slice(-3).sort()).toEqual(['all all 0', 'once once 0', 'skip skip 0']);
  });

  it('an occurrence that is less than a minute late runs, each one', async () => {
    const { app, advance, flowrra, clock } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    await flowrra.schedules.set('often', { every: '1s', overlap: 'allow' }, sync, 'x');
    clock.sleep(5 * SECOND);
    await advance(2 * SECOND);
    expect(tenants).toHaveLength(7);
  });

  it('start, end and jitter bound the times', async () => {
    const { app, advance, flowrra, clock } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    const start = new Date(clock.now() + 30 * MINUTE);
    const end = new Date(clock.now() + 60 * MINUTE);
    await flowrra.schedules.set('some', { every: '10m', start, end, jitter: '2m' }, sync, 'x');
    await advance(29 * MINUTE);
    expect(tenants).toEqual([]);
    await advance(HOUR);
    expect(tenants).toHaveLength(3);
    const found = await flowrra.schedules.get('some');
    const delays = found?.history.map(({ at, handledAt }) => handledAt.getTime() - at.getTime());
    expect(delays).toHaveLength(3);
    for (const ms of delays ?? []) expect(ms).toBeLessThanOrEqual(2 * MINUTE);
    expect(found?.next).toBeNull();
  });

  it('forRoot({ schedules }) changes and turns off declared schedules', async () => {
    const { app, advance, flowrra } = await beds.start([Reports], {
      schedules: { 'Reports.report': { cron: '30 * * * *' }, poll: false },
    });
    const reports = app.get(Reports);
    await advance(3 * HOUR);
    expect(reports.daily).toHaveLength(3);
    expect(reports.polls).toEqual([]);
    expect(await flowrra.schedules.get('Reports.report')).toMatchObject({
      cron: '30 * * * *',
      timezone: 'Europe/Berlin',
      declared: true,
    });
    const unknown = beds.start([Reports], { schedules: { 'Reports.reprot': false } });
    await expect(unknown).rejects.toThrow(/no declared schedule is called 'Reports.reprot'.*Reports.report/);
  });

  it('unknown names and invalid options are errors that say what to do', async () => {
    const { app, flowrra } = await beds.start([Reports]);
    const { sync } = app.get(Reports);
    const { schedules } = flowrra;
    await expect(schedules.pause('none')).rejects.toThrow(ScheduleNotFoundError);
    await expect(schedules.resume('none')).rejects.toThrow(ScheduleNotFoundError);
    await expect(schedules.trigger('none')).rejects.toThrow(ScheduleNotFoundError);
    await expect(schedules.preview('none')).rejects.toThrow(ScheduleNotFoundError);
    expect(await schedules.get('none')).toBeNull();
    await expect(schedules.remove('poll')).rejects.toThrow(/declared by a decorator/);
    await expect(schedules.set('poll', { every: '1h' }, sync, 'x')).rejects.toThrow(
      /declared by a decorator/,
    );
    const set = (rule: object): Promise<void> => schedules.set('x', rule as { every: '1h' }, sync, 'x');
    for (const rule of [
      {},
      { cron: '61 * * * *' },
      { cron: '* * * * * * 2030' },
      { cron: '0 0 30 2 *' },
      { cron: '* * * * *', timezone: 'Mars/Base' },
      { cron: '* * * * *', every: '1m' },
      { every: '10ms' },
      { every: '1h', timezone: 'UTC' },
      { every: '1h', overlap: 'never' },
      { every: '1h', start: new Date(2_000), end: new Date(1_000) },
      { evry: '1h' },
    ])
      await expect(set(rule)).rejects.toThrow(FlowrraConfigError);
    await expect(schedules.set('', { every: '1h' }, sync, 'x')).rejects.toThrow(FlowrraConfigError);
    expect(await schedules.get('x')).toBeNull();
  });

  it('a clock that was wrong for a while puts no occurrence off', async () => {
    const { app, advance, flowrra, clock } = await beds.start([Reports]);
    const { sync, tenants } = app.get(Reports);
    await flowrra.schedules.set('sync', { every: '1h', missed: 'once' }, sync, 'x');
    clock.jump(30 * DAY);
    await advance(2 * MINUTE);
    expect(tenants).toHaveLength(1);
    clock.jump(-30 * DAY);
    await advance(3 * HOUR);
    expect(tenants).toHaveLength(4);
  });
}

/** On an engine without schedules. */
function rejectedCases(beds: Beds): void {
  it('a declared schedule fails the start, and a set one is rejected', async () => {
    await expect(beds.start([Reports])).rejects.toThrow(/does not support schedules/);
    const { app, flowrra } = await beds.start([Slow]);
    const set = flowrra.schedules.set('slow', { every: '1h' }, app.get(Slow).work);
    await expect(set).rejects.toThrow(/does not support schedules/);
  });
}

/** Schedules of several processes. */
function sharedCases(beds: Beds): void {
  it('an occurrence has one job, however many workers there are', async () => {
    const first = await beds.start([Reports]);
    const second = await beds.start([Reports], {}, first);
    const third = await beds.start([Reports], {}, first);
    await first.flowrra.schedules.set('sync', { every: '1m' }, first.app.get(Reports).sync, 'acme');
    await first.advance(20 * MINUTE);
    const all = [first, second, third].flatMap(({ app }) => app.get(Reports).tenants);
    expect(all).toHaveLength(20);
    expect((await third.flowrra.schedules.get('sync'))?.counts.submitted).toBe(20);
  });

  it('a producer sets and triggers schedules, and handles none', async () => {
    const remoteTasks = { 'Reports.sync': {} };
    const producer = await beds.start([], { role: 'producer', remoteTasks });
    await producer.flowrra.schedules.set('sync', { every: '1m' }, 'Reports.sync', 'acme');
    await producer.advance(10 * MINUTE);
    expect((await producer.flowrra.schedules.get('sync'))?.history).toEqual([]);
    await producer.flowrra.schedules.trigger('sync');
    const worker = await beds.start([Reports], {}, producer);
    await worker.advance(MINUTE);
    const { tenants } = worker.app.get(Reports);
    expect(tenants.filter((each) => each === 'acme sync 0')).toHaveLength(3);
  });

  it('a schedule that no worker declares any more stops, and goes on when one does', async () => {
    const old = await beds.start([Reports]);
    await old.advance(HOUR);
    await old.flowrra.stop();
    const next = await beds.start([Slow], {}, old);
    await next.advance(HOUR);
    expect(await next.flowrra.schedules.get('poll')).toMatchObject({ orphaned: true, next: null });
    const again = await beds.start([Reports], {}, old);
    await again.advance(HOUR);
    expect(again.app.get(Reports).polls).toHaveLength(4);
    // A worker marks its schedules as seen when it looks at the store, which it does each second of real time.
    await until(async () => (await again.flowrra.schedules.get('poll'))?.orphaned === false, {
      describe: 'the schedule is seen again',
    });
  });

  it('a running worker hears of schedules that another application sets, pauses, resumes and removes', async () => {
    // The worker has no schedule of its own, so it has no timer either: it learns of the changes from the store alone.
    const worker = await beds.start([Poller]);
    const { polled } = worker.app.get(Poller);
    const other = await beds.start([], { role: 'producer', remoteTasks: { 'Poller.poll': {} } }, worker);
    const { schedules } = other.flowrra;
    /** A worker reads the store each second of real time, so virtual time goes on until it has done so. */
    const hears = (): Promise<void> => {
      const before = polled.length;
      const runs = async (): Promise<boolean> => {
        await worker.advance(SECOND);
        return polled.length > before;
      };
      return until(runs, { describe: 'the worker hears of the change' });
    };
    const isIdle = async (): Promise<boolean> =>
      (await worker.flowrra.jobs.counts()).every(({ pending, running }) => pending + running === 0);
    const runsNoMore = async (): Promise<void> => {
      await until(isIdle, { describe: 'the jobs of earlier occurrences have ended' });
      const before = polled.length;
      await worker.advance(MINUTE);
      expect(polled).toHaveLength(before);
    };

    await schedules.set('sync', { every: '1s' }, 'Poller.poll', 'first');
    await hears();
    await schedules.pause('sync');
    await runsNoMore();
    await schedules.resume('sync');
    await hears();
    await schedules.set('sync', { every: '365d' }, 'Poller.poll', 'second');
    await runsNoMore();
    await schedules.set('sync', { every: '1s' }, 'Poller.poll', 'third');
    await hears();
    expect([...new Set(polled)]).toEqual(['first', 'third']);
    expect(await schedules.remove('sync')).toBe(true);
    await runsNoMore();
  });

  it('a process that started earlier does not undo a newer declaration', async () => {
    const first = await beds.start([Reports]);
    await first.advance(SECOND);
    const schedules = { poll: { every: '5m' } } as const;
    const newer = await beds.start([Reports], { schedules }, first);
    await newer.advance(HOUR);
    expect(await first.flowrra.schedules.get('poll')).toMatchObject({ every: 5 * MINUTE });
    const polls = [first, newer].flatMap(({ app }) => app.get(Reports).polls);
    expect(polls).toHaveLength(12);
  });
}
