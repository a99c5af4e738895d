import { Injectable } from '@nestjs/common';
import { type Engine, FlowrraService, Interval, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { resolveEngine } from '../../lib/engine/resolve-engine.js';
import type { ScheduleStore } from '../../lib/engine/schedule-store.js';
import { FlowrraRuntime } from '../../lib/nest/flowrra.runtime.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { ManualClock } from '../support/manual-clock.js';

@Injectable()
class Polls {
  readonly begun = new Gate();
  aborted = false;

  @Interval('1m')
  poll(): void {}

  @Task()
  async hold(@TaskCtx() { signal }: TaskContext): Promise<void> {
    this.begun.open();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    this.aborted = true;
  }
}

/** An engine whose store of schedules stops to answer calls of a method. */
async function silentEngine(): Promise<{ engine: Engine; silence(method: keyof ScheduleStore): Gate }> {
  const inner = await resolveEngine('memory:');
  const silent = new Map<keyof ScheduleStore, Gate>();
  const { name, durable, supports } = inner;
  const engine: Engine = {
    name,
    durable,
    supports,
    async connect(host) {
      const connected = await inner.connect(host);
      const schedules = new Proxy(connected.schedules as ScheduleStore, {
        get(store, method: keyof ScheduleStore) {
          const call = store[method].bind(store) as (...args: unknown[]) => unknown;
          return (...args: unknown[]) => {
            silent.get(method)?.open();
            return silent.has(method) ? new Promise(() => undefined) : call(...args);
          };
        },
      });
      return Object.create(connected, { schedules: { value: schedules } });
    },
  };
  const silence = (method: keyof ScheduleStore): Gate => {
    const called = new Gate();
    silent.set(method, called);
    return called;
  };
  return { engine, silence };
}

it.each(['earliest', 'put'] as const)(
  'a stop ends within its deadlines while the store of schedules does not answer %s()',
  async (method) => {
    const { engine, silence } = await silentEngine();
    const clock = new ManualClock();
    const { app, flowrra } = await startApp(
      { engine, clock, shutdownTimeout: '10s' },
      { providers: [Polls] },
    );
    const polls = app.get(Polls);
    await flowrra.submit(polls.hold);
    await polls.begun.passed;
    const called = silence(method);
    await clock.advance(60_000);
    await called.passed;
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await clock.advance(9_999);
    expect([polls.aborted, closed]).toEqual([false, false]);
    // The time that the schedules have taken is part of the deadline of running jobs.
    await clock.advance(1);
    await closing;
    expect(polls.aborted).toBe(true);
    expect(clock.armed).toBe(0);
  },
);

it('a stop ends while the start stores declared schedules without an answer', async () => {
  const { engine, silence } = await silentEngine();
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ engine, clock }, { providers: [Polls] });
  await flowrra.stop();
  const called = silence('get');
  const started = app.get(FlowrraService).start();
  await called.passed;
  await flowrra.stop();
  await started;
  expect(app.get(FlowrraRuntime, { strict: false }).isConnected).toBe(false);
  await app.close();
  expect(clock.armed).toBe(0);
});
