import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Engine } from '../../lib/engine/engine.js';
import { memoryEngine } from '../../lib/engine/memory/memory-store.js';
import { type FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { startApp } from '../support/app.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { sqliteEngine } from '../support/sqlite.js';
import { Recording, startContexts, stopContexts } from './open-telemetry.js';

beforeAll(startContexts);
afterAll(stopContexts);

const HOUR = 3_600_000;
const open: INestApplicationContext[] = [];
const recordings: Recording[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
  for (const recording of recordings.splice(0)) await recording.shutdown();
});

@Injectable()
class Orders {
  /** The active span of each function. */
  readonly seen: (string | undefined)[] = [];

  @Task()
  async fulfil(order: string, @TaskCtx() ctx: TaskContext): Promise<void> {
    for (const n of [1, 2])
      await ctx.step('charge', ({ attempt }) => this.charge(n, attempt), { maxRetries: 1, retryDelay: 0 });
    await ctx.call(this.print, order);
    await ctx.sleep('cool-off', '1h');
  }

  @Task()
  print(order: string): string {
    return `label ${order}`;
  }

  @Task({ maxRetries: 0 })
  async fails(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('book', () => 'hotel', { undo: () => undefined });
    await ctx.step('pay', () => Promise.reject(new RangeError('too much')));
  }

  @Task()
  async many(count: number, @TaskCtx() ctx: TaskContext): Promise<void> {
    for (let n = 0; n < count; n++) await ctx.step(`item-${n}`, () => n);
    for (let n = 0; n < count; n++) await ctx.step('item-0', () => n);
  }

  private charge(n: number, attempt: number): void {
    this.seen.push(trace.getActiveSpan()?.spanContext().spanId);
    if (n === 1 && attempt === 1) throw new RangeError('no answer');
  }
}

interface Traced {
  readonly flowrra: FlowrraService;
  readonly orders: Orders;
  readonly clock: ManualClock;
  readonly told: Recording;
}

async function start(engine: Engine): Promise<Traced> {
  const told = new Recording();
  recordings.push(told);
  const clock = new ManualClock();
  const { tracerProvider, meterProvider } = told;
  const telemetry = FlowrraTelemetryModule.forRoot({ tracerProvider, meterProvider });
  const { app, flowrra } = await startApp({ engine, clock }, { providers: [Orders], imports: [telemetry] });
  open.push(app);
  return { flowrra, orders: app.get(Orders), clock, told };
}

/** Advances the clock until the job has ended. */
async function finished({ flowrra, clock }: Traced, id: string, ms = 1_000): Promise<void> {
  while ((await flowrra.getResult(id))?.isComplete !== true) await clock.advance(ms);
  await settle();
}

const ENGINES: [string, () => Engine][] = [
  ['memory', () => memoryEngine()],
  ['SQLite', () => sqliteEngine()],
];

describe.each(ENGINES)('on %s', (_name, engine) => {
  it('the attempts, the steps and the child jobs of a durable job are one trace', async () => {
    const traced = await start(engine());
    const { flowrra, orders, told } = traced;
    const id = await flowrra.submit(orders.fulfil, 'o1');
    await finished(traced, id, HOUR);

    const submitted = told.span('flowrra submit Orders.fulfil');
    const attempts = told.spans.filter(({ name }) => name === 'flowrra run Orders.fulfil');
    expect(attempts.map(({ attributes }) => attributes['flowrra.outcome'])).toEqual([
      'suspended',
      'suspended',
      'success',
    ]);
    for (const attempt of attempts)
      expect(attempt).toMatchObject({
        parentSpanContext: { spanId: submitted.spanContext().spanId },
        status: { code: SpanStatusCode.UNSET },
        events: [],
      });

    const first = attempts[0]?.spanContext().spanId;
    const steps = told.spans.filter(({ name }) => name === 'flowrra step charge');
    expect(steps).toHaveLength(3);
    expect(steps.map((step) => step.spanContext().spanId)).toEqual(orders.seen);
    for (const step of steps)
      expect(step).toMatchObject({
        kind: SpanKind.INTERNAL,
        parentSpanContext: { spanId: first },
        attributes: {
          'flowrra.task.name': 'Orders.fulfil',
          'messaging.message.id': id,
          'flowrra.step.kind': 'step',
        },
      });
    expect(steps[0]).toMatchObject({
      attributes: {
        'flowrra.step.name': 'charge',
        'flowrra.step.retries': 0,
        'flowrra.outcome': 'retry',
        'error.type': 'RangeError',
      },
      status: { code: SpanStatusCode.ERROR, message: 'no answer' },
    });
    expect(steps[1]).toMatchObject({
      attributes: { 'flowrra.step.name': 'charge', 'flowrra.step.retries': 1, 'flowrra.outcome': 'success' },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(steps[2]).toMatchObject({
      attributes: { 'flowrra.step.name': 'charge:1', 'flowrra.step.retries': 0 },
    });

    const called = told.span('flowrra submit Orders.print');
    expect(called).toMatchObject({ parentSpanContext: { spanId: first } });
    expect(told.span('flowrra run Orders.print')).toMatchObject({
      parentSpanContext: { spanId: called.spanContext().spanId, traceId: submitted.spanContext().traceId },
    });
  });

  it('counts suspensions, and measures steps by their base names', async () => {
    const traced = await start(engine());
    const { flowrra, orders, told } = traced;
    await finished(traced, await flowrra.submit(orders.fulfil, 'o1'), HOUR);
    expect(await told.measured('flowrra.jobs.suspended')).toEqual({ 'default Orders.fulfil': 2 });
    const once = { count: 1, min: expect.any(Number), max: expect.any(Number) };
    expect(await told.measured('flowrra.step.duration')).toEqual({
      'default Orders.fulfil charge retry': once,
      'default Orders.fulfil charge success': { ...once, count: 2 },
    });
    expect(await told.measured('flowrra.queue.jobs')).toMatchObject({ 'default suspended': 0 });
  });
});

it('a failed step and an undone one are spans of the attempt that fails', async () => {
  const traced = await start(memoryEngine());
  const { flowrra, orders, told } = traced;
  await finished(traced, await flowrra.submit(orders.fails));
  const attempt = told.span('flowrra run Orders.fails');
  const parentSpanContext = { spanId: attempt.spanContext().spanId };
  expect(told.span('flowrra step pay')).toMatchObject({
    parentSpanContext,
    attributes: { 'flowrra.outcome': 'failed', 'error.type': 'RangeError' },
    status: { code: SpanStatusCode.ERROR, message: 'too much' },
  });
  expect(told.span('flowrra undo book')).toMatchObject({
    parentSpanContext,
    attributes: { 'flowrra.step.kind': 'undo', 'flowrra.outcome': 'success' },
  });
});

it('names of steps that contain ids do not make a time series each', async () => {
  const traced = await start(memoryEngine());
  const { flowrra, orders, told } = traced;
  await finished(traced, await flowrra.submit(orders.many, 60));
  const measured = await told.measured('flowrra.step.duration');
  expect(Object.keys(measured)).toHaveLength(51);
  expect(measured).toMatchObject({
    'default Orders.many item-0 success': { count: 61 },
    'default Orders.many (other) success': { count: 10 },
  });
});
