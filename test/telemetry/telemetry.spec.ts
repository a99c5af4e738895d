import { AsyncLocalStorage } from 'node:async_hooks';
import { type INestApplicationContext, type ModuleMetadata, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { memoryEngine } from '../../lib/engine/memory/memory-store.js';
import type { Engine } from '../../lib/engine/engine.js';
import {
  FatalTaskError,
  FlowrraModule,
  type FlowrraModuleOptions,
  type FlowrraService,
  type ScheduleInfo,
  SnoozeTaskError,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { FlowrraTestingModule } from '../../lib/testing/index.js';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { startApp } from '../support/app.js';
import { withControl } from '../support/engine-control.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';
import { Recording, startContexts, stopContexts } from './open-telemetry.js';

beforeAll(startContexts);
afterAll(stopContexts);

const open: INestApplicationContext[] = [];
const recordings: Recording[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
  for (const recording of recordings.splice(0)) await recording.shutdown();
});

interface Traced {
  readonly app: INestApplicationContext;
  readonly flowrra: FlowrraService;
  readonly told: Recording;
}

async function start(options: FlowrraModuleOptions, metadata: ModuleMetadata = {}): Promise<Traced> {
  const told = new Recording();
  recordings.push(told);
  const { tracerProvider, meterProvider } = told;
  const telemetry = FlowrraTelemetryModule.forRoot({ tracerProvider, meterProvider });
  const { app, flowrra } = await startApp(options, { ...metadata, imports: [telemetry] });
  open.push(app);
  return { app, flowrra, told };
}

/** Runs code in a span, as an HTTP request that is traced does. */
async function inRequest<T>({ told }: Traced, run: () => Promise<T>): Promise<{ span: Span; value: T }> {
  const span = told.tracer.startSpan('POST /orders');
  const value = await context.with(trace.setSpan(context.active(), span), run);
  span.end();
  return { span, value };
}

@Injectable()
class Orders {
  readonly seen: (string | undefined)[] = [];

  @Task({ maxRetries: 1, retryDelay: 0 })
  async ship(order: string, @TaskCtx() { attempt }: TaskContext): Promise<void> {
    await Promise.resolve();
    this.seen.push(trace.getActiveSpan()?.spanContext().spanId);
    if (order === 'late' && attempt === 1) throw new RangeError('no courier');
    if (order === 'wrong') throw new FatalTaskError('no such order');
  }
}

const ENGINES: [string, () => Engine][] = [
  ['memory', () => memoryEngine()],
  ['SQLite', () => sqliteEngine()],
];

describe.each(ENGINES)('on %s', (_name, engine) => {
  it('a request, its submission and the attempts are one trace', async () => {
    const traced = await start({ engine: engine() }, { providers: [Orders] });
    const { app, flowrra, told } = traced;
    const orders = app.get(Orders);
    const request = await inRequest(traced, () => flowrra.submit(orders.ship, 'late'));
    await flowrra.waitForResult(request.value);
    await settle();

    const submitted = told.span('flowrra submit Orders.ship');
    expect(submitted).toMatchObject({
      kind: SpanKind.PRODUCER,
      parentSpanContext: { spanId: request.span.spanContext().spanId },
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'messaging.system': 'flowrra',
        'messaging.operation.name': 'submit',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'default',
        'messaging.message.id': request.value,
        'flowrra.task.name': 'Orders.ship',
      },
    });
    const [first, second] = told.spans.filter(({ name }) => name === 'flowrra run Orders.ship');
    for (const attempt of [first, second])
      expect(attempt).toMatchObject({
        kind: SpanKind.CONSUMER,
        parentSpanContext: { ...idsOf(submitted), isRemote: true },
      });
    expect(first).toMatchObject({
      attributes: {
        'messaging.operation.type': 'process',
        'messaging.message.id': request.value,
        'flowrra.attempt': 1,
        'flowrra.outcome': 'retry',
        'error.type': 'RangeError',
      },
      status: { code: SpanStatusCode.ERROR, message: 'no courier' },
      events: [
        {
          name: 'exception',
          attributes: {
            'exception.type': 'RangeError',
            'exception.message': 'no courier',
            'exception.stacktrace': expect.stringContaining('telemetry.spec'),
          },
        },
      ],
    });
    expect(second).toMatchObject({
      attributes: { 'flowrra.attempt': 2, 'flowrra.outcome': 'success' },
      status: { code: SpanStatusCode.UNSET },
      events: [],
    });
    expect(orders.seen).toEqual([first?.spanContext().spanId, second?.spanContext().spanId]);
    expect(await flowrra.jobs.get(request.value)).toMatchObject({ metadata: {} });
  });

  it('is stored beside metadata and captured context, and is part of neither', async () => {
    const tenant = new AsyncLocalStorage<string>();
    const found: unknown[] = [];
    const traced = await start({
      engine: engine(),
      context: {
        capture: () => tenant.getStore(),
        run: (captured, next) => tenant.run(String(captured), next),
      },
    });
    const { flowrra, told } = traced;
    flowrra.register({ name: 'work' }, () => {
      found.push(tenant.getStore(), trace.getActiveSpan()?.spanContext().traceId);
    });
    const { span, value } = await inRequest(traced, () =>
      tenant.run('ada', () => flowrra.with({ metadata: { order: 7 } }).submit('work')),
    );
    await flowrra.waitForResult(value);
    expect(found).toEqual(['ada', span.spanContext().traceId]);
    expect((await flowrra.jobs.get(value))?.metadata).toEqual({ order: 7 });
    // What nobody traces begins a trace of its own.
    const alone = await flowrra.submit('work');
    await flowrra.waitForResult(alone);
    await settle();
    expect(told.span('flowrra submit work', alone).parentSpanContext).toBeUndefined();
    expect(told.span('flowrra run work', alone).spanContext().traceId).not.toBe(span.spanContext().traceId);
  });

  it('counts submissions, retries and ends of jobs, and measures waits and attempts', async () => {
    const clock = new ManualClock();
    const { app, flowrra, told } = await start({ engine: engine(), clock }, { providers: [Orders] });
    const orders = app.get(Orders);
    const ids = await flowrra.submitMany(orders.ship, [['ok'], ['late'], ['wrong']]);
    ids.push(await flowrra.with({ delay: '1m' }).submit(orders.ship, 'tomorrow'));
    const later = await flowrra.with({ delay: '1h' }).submit(orders.ship, 'never');
    await flowrra.cancel(later);
    await finished(flowrra, clock, ids);
    await settle();
    const name = 'default Orders.ship';
    expect(await told.measured('flowrra.jobs.submitted')).toEqual({ [name]: 5 });
    expect(await told.measured('flowrra.jobs.retried')).toEqual({ [name]: 1 });
    expect(await told.measured('flowrra.jobs.finished')).toEqual({
      [`${name} success`]: 3,
      [`${name} failed`]: 1,
      [`${name} cancelled`]: 1,
    });
    expect(await told.measured('flowrra.attempt.duration')).toMatchObject({
      [`${name} success`]: { count: 3 },
      [`${name} retry`]: { count: 1 },
      [`${name} failed`]: { count: 1 },
    });
    // Each job once, at its first start, and the minute of the delay is no wait.
    const wait = (await told.measured('flowrra.job.wait'))[name] as { count: number; max: number };
    expect(wait.count).toBe(4);
    expect(wait.max).toBeLessThan(30);
    expect(await told.measured('flowrra.queue.jobs')).toMatchObject({
      'default pending': 0,
      'default success': 3,
      'default failed': 1,
      'default cancelled': 1,
      'cpu pending': 0,
    });
    expect(told.span('flowrra submit Orders.ship', ids[3])).toBeDefined();
    expect(told.spans.find(({ attributes }) => attributes['messaging.batch.message_count'])).toMatchObject({
      name: 'flowrra submit Orders.ship',
      attributes: { 'messaging.batch.message_count': 3 },
    });
  });

  it('measures no wait for a job that runs again after a snooze', async () => {
    const clock = new ManualClock();
    const { flowrra, told } = await start({ engine: engine(), clock });
    let times = 0;
    flowrra.register({ name: 'poll' }, () => {
      if (times++ < 2) throw new SnoozeTaskError('1m');
    });
    await finished(flowrra, clock, [await flowrra.submit('poll')]);
    await settle();
    const wait = (await told.measured('flowrra.job.wait'))['default poll'] as { count: number; max: number };
    expect(wait.count).toBe(1);
    expect(wait.max).toBeLessThan(30);
    expect(told.spans.map(({ attributes }) => attributes['flowrra.outcome'])).toEqual([
      undefined,
      'snoozed',
      'snoozed',
      'success',
    ]);
  });

  it('the submissions of a task are children of its attempt', async () => {
    const { flowrra, told } = await start({ engine: engine() });
    flowrra.register({ name: 'first' }, () => flowrra.submit('second'));
    flowrra.register({ name: 'second' }, () => undefined);
    const { result } = await flowrra.waitForResult(await flowrra.submit('first'));
    await flowrra.waitForResult(result as string);
    await settle();
    const path = ['flowrra submit first', 'flowrra run first', 'flowrra submit second', 'flowrra run second'];
    expect(told.spans.map(({ name }) => name)).toEqual(path);
    expect(told.spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
      undefined,
      ...told.spans.slice(0, 3).map((span) => span.spanContext().spanId),
    ]);
  });

  it('measures how late occurrences are, and counts skipped ones', async () => {
    const clock = new ManualClock();
    const { flowrra, told } = await start({ engine: engine(), clock });
    let end = (): void => undefined;
    flowrra.register({ name: 'sync' }, () => new Promise<void>((resolve) => (end = resolve)));
    await flowrra.schedules.set('sync:acme', { every: '1h', missed: 'once' }, 'sync');
    const [next] = await flowrra.schedules.preview('sync:acme', 1);
    const untilNext = (next?.getTime() ?? 0) - clock.now();
    clock.sleep(untilNext + 20_000);
    const advanceUntil = async (counted: (counts: ScheduleInfo['counts']) => boolean): Promise<void> => {
      for (;;) {
        await clock.advance(0);
        const found = await flowrra.schedules.get('sync:acme');
        if (found !== null && counted(found.counts)) return;
      }
    };
    await advanceUntil(({ submitted }) => submitted === 1);
    expect(await told.measured('flowrra.schedule.lateness')).toEqual({
      'default sync sync:acme': { count: 1, min: 20, max: 20 },
    });
    for (const hour of [1, 2]) {
      await clock.advance(3_600_000);
      await advanceUntil(({ overlapped }) => overlapped === hour);
    }
    expect(await told.measured('flowrra.schedule.skipped')).toEqual({ 'default sync sync:acme overlap': 2 });
    end();
    await settle();
    await flowrra.schedules.set('sync:acme', { every: '1m', missed: 'skip' }, 'sync');
    clock.sleep(10 * 60_000);
    await advanceUntil(({ missed }) => missed > 0);
    const counts = await told.measured('flowrra.schedule.skipped');
    expect(counts['default sync sync:acme missed']).toBeGreaterThanOrEqual(8);
    end();
  });

  it('a dead letter belongs to the trace of the failed job', async () => {
    const traced = await start({ engine: engine(), deadLetter: 'bury' });
    const { flowrra, told } = traced;
    const buried = new Promise<void>((resolve) => flowrra.register({ name: 'bury' }, () => resolve()));
    flowrra.register({ name: 'die', maxRetries: 0 }, () => {
      throw new Error('as expected');
    });
    const { span } = await inRequest(traced, () => flowrra.submit('die'));
    await buried;
    await settle();
    const { traceId } = span.spanContext();
    expect(told.spans.map((each) => [each.name, each.spanContext().traceId === traceId])).toEqual([
      ['POST /orders', true],
      ['flowrra submit die', true],
      ['flowrra run die', true],
      ['flowrra submit bury', true],
      ['flowrra run bury', true],
    ]);
  });
});

function idsOf(span: ReadableSpan): { traceId: string; spanId: string } {
  const { traceId, spanId } = span.spanContext();
  return { traceId, spanId };
}

/** Lets time pass until they have all ended. */
async function finished(flowrra: FlowrraService, clock: ManualClock, ids: readonly string[]): Promise<void> {
  for (const id of ids) while ((await flowrra.getResult(id))?.isComplete !== true) await clock.advance(1_000);
}

it('a trace continues in the process that runs the job', async () => {
  const file = tempFile();
  const web = await start({
    engine: sqliteEngine({ file }),
    role: 'producer',
    remoteTasks: { 'Orders.ship': {} },
  });
  const worker = await start({ engine: sqliteEngine({ file }) }, { providers: [Orders] });
  const { span, value } = await inRequest(web, () => web.flowrra.submit('Orders.ship', 'ok'));
  expect((await web.flowrra.waitForResult(value)).status).toBe('success');
  await settle();
  const submitted = web.told.span('flowrra submit Orders.ship');
  expect(worker.told.spans).toHaveLength(1);
  expect(worker.told.span('flowrra run Orders.ship')).toMatchObject({
    parentSpanContext: { ...idsOf(submitted), traceId: span.spanContext().traceId },
  });
  expect(await web.told.measured('flowrra.jobs.submitted')).toEqual({ 'default Orders.ship': 1 });
  expect(await worker.told.measured('flowrra.jobs.submitted')).toEqual({});
  expect(await worker.told.measured('flowrra.jobs.finished')).toEqual({ 'default Orders.ship success': 1 });
  expect(await web.told.measured('flowrra.jobs.finished')).toEqual({});
});

it('runs jobs of a submitter without telemetry', async () => {
  const file = tempFile();
  const plain = await startApp(
    { engine: sqliteEngine({ file }), role: 'producer', remoteTasks: { 'Orders.ship': {} } },
    {},
  );
  open.push(plain.app);
  const worker = await start({ engine: sqliteEngine({ file }) }, { providers: [Orders] });
  const id = await plain.flowrra.submit('Orders.ship', 'ok');
  await plain.flowrra.waitForResult(id);
  await settle();
  expect(worker.told.span('flowrra run Orders.ship').parentSpanContext).toBeUndefined();
});

it('a rejected submission is a span with its error, and rejects as without telemetry', async () => {
  const { flowrra, told } = await start({ maxPending: 1, whenFull: 'reject' });
  flowrra.register({ name: 'work', queue: 'default' }, () => undefined);
  await flowrra.queues.pause('default');
  await expect(flowrra.submit('work', Symbol('no'))).rejects.toMatchObject({ code: 'FLOWRRA_PAYLOAD' });
  await flowrra.submit('work');
  await expect(flowrra.submit('work')).rejects.toMatchObject({ code: 'FLOWRRA_QUEUE_FULL' });
  await expect(flowrra.submitMany('work', [[], []])).rejects.toMatchObject({ code: 'FLOWRRA_QUEUE_FULL' });
  expect(told.spans.map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['PayloadError', SpanStatusCode.ERROR],
    [undefined, SpanStatusCode.UNSET],
    ['QueueFullError', SpanStatusCode.ERROR],
    ['QueueFullError', SpanStatusCode.ERROR],
  ]);
});

it('the span of an attempt that ignores its cancellation ends when the attempt is abandoned', async () => {
  const clock = new ManualClock();
  const { flowrra, told } = await start({ clock });
  let release = (): void => undefined;
  flowrra.register(
    { name: 'deaf', killGrace: '5s' },
    () => new Promise<void>((resolve) => (release = resolve)),
  );
  const id = await flowrra.submit('deaf');
  await clock.advance(0);
  await flowrra.cancel(id);
  await clock.advance(5_000);
  expect((await flowrra.getResult(id))?.status).toBe('cancelled');
  expect(told.span('flowrra run deaf').attributes['flowrra.outcome']).toBe('cancelled');
  release();
  await settle();
  expect(told.span('flowrra run deaf').ended).toBe(true);
  expect(await told.measured('flowrra.attempt.duration')).toMatchObject({
    'default deaf cancelled': { count: 1 },
  });
});

it('if the engine does not answer or fails, only the gauge has no numbers', async () => {
  const clock = new ManualClock();
  let answers = false;
  const engine = withControl(memoryEngine(), (control) => {
    const counts = control.counts.bind(control);
    control.counts = () => (answers ? counts() : new Promise<never>(() => undefined));
  });
  const { flowrra, told } = await start({ engine, clock });
  const hanging = told.measured('flowrra.queue.jobs');
  await clock.advance(1_000);
  expect(await hanging).toEqual({});
  answers = true;
  await flowrra.stop();
  await flowrra.start();
  expect(flowrra.isRunning).toBe(true);
});

it('traces tasks in the test kit, and with forRootAsync', async () => {
  const told = new Recording();
  recordings.push(told);
  const { tracerProvider, meterProvider } = told;
  const module = await FlowrraTestingModule.override(
    Test.createTestingModule({
      imports: [
        FlowrraTelemetryModule.forRoot({ tracerProvider, meterProvider }),
        FlowrraModule.forRootAsync({ useFactory: async () => ({ engine: 'redis://nowhere' }) }),
      ],
      providers: [Orders],
    }),
  ).compile();
  open.push(await module.init());
  const flowrra = FlowrraTestingModule.of(module);
  const id = await flowrra.submit(module.get(Orders).ship, 'ok');
  await flowrra.drain();
  expect(told.span('flowrra run Orders.ship', id).attributes['flowrra.outcome']).toBe('success');
  expect(await told.measured('flowrra.queue.jobs')).toMatchObject({ 'default success': 1 });
});

it('rejects unknown options', () => {
  expect(() => FlowrraTelemetryModule.forRoot({ tracer: trace } as never)).toThrow(/unknown option 'tracer'/);
});

it('rejects a second import in one application', async () => {
  await expect(
    startApp({}, { imports: [FlowrraTelemetryModule.forRoot(), FlowrraTelemetryModule.forRoot({})] }),
  ).rejects.toThrow('imported twice');
});
