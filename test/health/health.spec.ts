import type { INestApplicationContext } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { FlowrraHealthIndicator, type FlowrraHealthOptions } from '../../lib/health/index.js';
import { memoryEngine } from '../../lib/engine/memory/memory-store.js';
import type { Engine } from '../../lib/engine/engine.js';
import type { FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { withControl } from '../support/engine-control.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

interface Checked {
  readonly app: INestApplicationContext;
  readonly flowrra: FlowrraService;
  /** What terminus makes of it. */
  check(options?: FlowrraHealthOptions): Promise<Record<string, unknown>>;
}

async function start(options: FlowrraModuleOptions): Promise<Checked> {
  const { app, flowrra } = await startApp(options, {
    imports: [TerminusModule.forRoot({ logger: false })],
    providers: [FlowrraHealthIndicator],
  });
  open.push(app);
  const health = app.get(HealthCheckService);
  const indicator = app.get(FlowrraHealthIndicator);
  const check = async (limits?: FlowrraHealthOptions): Promise<Record<string, unknown>> => {
    const result = await health
      .check([() => indicator.isHealthy('tasks', limits)])
      .catch((error: { getResponse(): unknown }) => error.getResponse());
    return (result as { details: Record<string, Record<string, unknown>> }).details['tasks'] ?? {};
  };
  return { app, flowrra, check };
}

const ENGINES: [string, () => Engine][] = [
  ['memory', () => memoryEngine()],
  ['SQLite', () => sqliteEngine()],
];

describe.each(ENGINES)('on %s', (_name, engine) => {
  it('is up with the numbers of all queues, and down if more jobs wait than maxPending', async () => {
    const { flowrra, check } = await start({ engine: engine(), queues: { mail: {}, bank: {} } });
    for (const queue of ['mail', 'bank']) flowrra.register({ name: queue, queue }, () => undefined);
    expect(await check()).toEqual({
      status: 'up',
      isRunning: true,
      pending: 0,
      running: 0,
      failed: 0,
      paused: [],
      failureRate: 0,
    });
    await flowrra.queues.pause('mail');
    for (let n = 0; n < 3; n++) await flowrra.submit('mail');
    await flowrra.with({ delay: '1h' }).submit('bank');
    expect(await check({ maxPending: 4, maxWait: 0 })).toMatchObject({
      status: 'up',
      pending: 4,
      paused: ['mail'],
    });
    expect(await check({ maxPending: 3 })).toMatchObject({
      status: 'down',
      pending: 4,
      message: '4 jobs wait (maxPending is 3)',
    });
    expect(await check({ maxPending: { mail: 3, bank: 1 } })).toMatchObject({ status: 'up' });
    expect(await check({ maxPending: { mail: 2, bank: 0, male: 1 } })).toMatchObject({
      status: 'down',
      message: `3 jobs wait in 'mail' (maxPending is 2); 1 jobs wait in 'bank' (maxPending is 0); maxPending names the queue 'male', which does not exist`,
    });
  });

  it('is down if too many jobs failed within the window, and up again later', async () => {
    const clock = new ManualClock();
    const { flowrra, check } = await start({ engine: engine(), clock });
    flowrra.register({ name: 'work', maxRetries: 0 }, (fails: boolean) => {
      if (fails) throw new Error('as expected');
    });
    const finish = async (fails: boolean): Promise<void> => {
      const id = await flowrra.submit('work', fails);
      let over = false;
      const waited = flowrra.waitForResult(id).finally(() => (over = true));
      while (!over) await clock.advance(0);
      await waited;
    };
    for (let n = 0; n < 3; n++) await finish(n === 0);
    expect(await check({ maxFailureRate: 0.3, minFinished: 3 })).toMatchObject({
      status: 'down',
      failed: 1,
      failureRate: 1 / 3,
      message: '1 of the 3 jobs that finished lately have failed (maxFailureRate is 0.3)',
    });
    expect(await check({ maxFailureRate: 0.4, minFinished: 3 })).toMatchObject({ status: 'up' });
    expect(await check({ maxFailureRate: 0 })).toMatchObject({ status: 'up' });
    await clock.advance(60_000);
    expect(await check({ maxFailureRate: 0, minFinished: 1, window: '30s' })).toMatchObject({ status: 'up' });
    expect(await check({ maxFailureRate: 0, minFinished: 1, window: '90s' })).toMatchObject({
      status: 'down',
    });
    await clock.advance(300_000);
    expect(await check({ maxFailureRate: 0, minFinished: 1 })).toMatchObject({
      status: 'up',
      failureRate: 0,
    });
  });

  it('is down while a job of a queue waits too long, and up when it has started', async () => {
    const clock = new ManualClock();
    const { flowrra, check } = await start({ engine: engine(), clock, numWorkers: 1 });
    let release = (): void => undefined;
    flowrra.register({ name: 'holds' }, () => new Promise<void>((resolve) => (release = resolve)));
    await flowrra.submit('holds');
    while ((await flowrra.jobs.counts()).every(({ running }) => running === 0)) await clock.advance(0);
    const waiting = await flowrra.submit('holds');
    await clock.advance(59_999);
    expect(await check({ maxWait: '1m' })).toMatchObject({ status: 'up' });
    await clock.advance(1);
    expect(await check({ maxWait: '1m' })).toMatchObject({
      status: 'down',
      message: `${waiting} has waited in 'default' for 60000 ms`,
    });
    release();
    while ((await flowrra.getResult(waiting))?.status === 'pending') await clock.advance(0);
    expect(await check({ maxWait: '1m' })).toMatchObject({ status: 'up' });
    release();
  });
});

it.each(ENGINES)('is down while a schedule is overdue, and names it: on %s', async (_name, engine) => {
  const clock = new ManualClock();
  const { flowrra, check } = await start({ engine: engine(), clock });
  flowrra.register({ name: 'sync' }, () => undefined);
  const { schedules } = flowrra;
  for (let n = 0; n < 12; n++) await schedules.set(`sync:${n}`, { every: '1h' }, 'sync');
  await schedules.pause('sync:0');
  expect(await check({ maxLateness: '1m' })).toMatchObject({ status: 'up', overdue: [] });
  const [next] = await schedules.preview('sync:1', 1);
  // The process stands still: no timer fires.
  clock.sleep((next?.getTime() ?? 0) - clock.now() + 60_000);
  expect(await check({ maxLateness: '1m' })).toMatchObject({ status: 'up', overdue: [] });
  expect(await check({ maxLateness: '59s' })).toMatchObject({
    status: 'down',
    overdue: expect.not.arrayContaining(['sync:0']),
    message: expect.stringContaining("the schedule 'sync:10' is 60000 ms late (maxLateness is 59000); the"),
  });
  expect((await check({ maxLateness: '59s' }))['overdue']).toHaveLength(10);
  expect(await check()).not.toHaveProperty('overdue');
  await clock.advance(0);
  await until(async () => (await check({ maxLateness: '1s' }))['status'] === 'up', {
    describe: 'the schedules have been handled',
  });
});

it('counts an overdue schedule that no worker handles any more', async () => {
  const clock = new ManualClock();
  const file = tempFile();
  const web = await start({
    clock,
    engine: sqliteEngine({ file }),
    role: 'producer',
    remoteTasks: { sync: {} },
  });
  await web.flowrra.schedules.set('sync', { every: '1h' }, 'sync');
  await clock.advance(3_600_000);
  expect(await web.check({ maxLateness: '30m' })).toMatchObject({ status: 'up' });
  await clock.advance(3_600_000);
  expect(await web.check({ maxLateness: '30m' })).toMatchObject({ status: 'down', overdue: ['sync'] });
});

it('does not count jobs that another process has started', async () => {
  const clock = new ManualClock();
  const file = tempFile();
  const shared: FlowrraModuleOptions = { clock, remoteTasks: { work: {} } };
  const web = await start({ ...shared, engine: sqliteEngine({ file }), role: 'producer' });
  const first = await web.flowrra.submit('work');
  await clock.advance(60_000);
  expect(await web.check({ maxWait: '1m' })).toMatchObject({ status: 'down' });
  const worker = await start({ clock, engine: sqliteEngine({ file }) });
  worker.flowrra.register({ name: 'work' }, () => undefined);
  while ((await web.flowrra.getResult(first))?.isComplete !== true) await clock.advance(20);
  expect(await web.check({ maxWait: '1m' })).toMatchObject({ status: 'up' });
});

it('is down within its timeout if the engine does not answer, and does not ask it a second time meanwhile', async () => {
  const clock = new ManualClock();
  let asked = 0;
  let answer = (): void => undefined;
  const engine = withControl(memoryEngine(), (control) => {
    control.counts = () => {
      asked++;
      return new Promise<never[]>((resolve) => (answer = () => resolve([])));
    };
  });
  const { check } = await start({ engine, clock });
  const first = check();
  const second = check({ timeout: '5s' });
  await clock.advance(1_000);
  expect(await first).toEqual({
    status: 'down',
    isRunning: true,
    message: 'Flowrra: no answer within 1000 ms',
  });
  await clock.advance(4_000);
  expect(await second).toMatchObject({ status: 'down' });
  expect(asked).toBe(1);
  const third = check();
  answer();
  expect(await third).toMatchObject({ status: 'up' });
  expect(clock.armed).toBeLessThanOrEqual(1); // the look for shutdown hooks
});

it('is down if the engine fails, Flowrra is stopped, or an option is invalid; it never rejects', async () => {
  const { app, flowrra, check } = await start({});
  const indicator = app.get(FlowrraHealthIndicator);
  expect(await indicator.isHealthy()).toMatchObject({ flowrra: { status: 'up' } });
  expect(await indicator.isHealthy('flowrra', { maxFailureRate: 3 })).toMatchObject({
    flowrra: { status: 'down', message: expect.stringMatching(/maxFailureRate: 3 is not valid/) },
  });
  expect(await indicator.isHealthy('flowrra', { maxWaiting: 3 } as never)).toMatchObject({
    flowrra: { status: 'down', message: expect.stringMatching(/unknown option 'maxWaiting'.*maxWait/) },
  });
  await flowrra.stop();
  expect(await check()).toMatchObject({
    status: 'down',
    isRunning: false,
    message: expect.stringMatching(/not running/),
  });
  await flowrra.start();
  expect(await check()).toMatchObject({ status: 'up', isRunning: true });
  await settle();
});
