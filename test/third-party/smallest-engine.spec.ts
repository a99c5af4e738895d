import { FlowrraConfigError, type FlowrraEvent, type FlowrraModuleOptions, InMemoryBackend } from 'flowrra';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';
import { SmallestEngine } from './smallest-engine.js';

const opened: TestApp[] = [];

afterEach(async () => {
  for (const { app } of opened.splice(0)) await app.close();
});

async function start(options: FlowrraModuleOptions = {}) {
  const clock = new ManualClock();
  const bed = await startApp({ engine: new SmallestEngine(), clock, ...options });
  opened.push(bed);
  const events: FlowrraEvent[] = [];
  bed.flowrra.events$.subscribe((event) => events.push(event));
  const types = (id: string) => events.filter(({ taskId }) => taskId === id).map(({ type }) => type);
  return { ...bed, clock, types };
}

it('runs jobs in order, with delays and retries', async () => {
  const { flowrra, clock, types } = await start();
  const ran: string[] = [];
  flowrra.register({ name: 'note', retryDelay: '1s' }, (name: string) => {
    ran.push(name);
    if (ran.length === 1) throw new Error('not yet');
  });
  const first = await flowrra.submit('note', 'a');
  await flowrra.with({ delay: '5s' }).submit('note', 'delayed');
  await flowrra.submitMany('note', [['b'], ['c']]);
  await clock.advance(0);
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(await flowrra.pendingCount()).toBe(2);
  expect(await flowrra.with({ taskId: first }).submit('note', 'again')).toBe(first);
  await clock.advance(5_000);
  expect(ran).toEqual(['a', 'b', 'c', 'a', 'delayed']);
  expect(types(first)).toEqual(['submitted', 'started', 'retrying', 'deduplicated', 'started', 'succeeded']);
});

it('has results if a backend is configured', async () => {
  const { flowrra } = await start({ backend: new InMemoryBackend() });
  flowrra.register({ name: 'double' }, (n: number) => 2 * n);
  expect((await flowrra.waitForResult(await flowrra.submit('double', 21))).result).toBe(42);
});

it('runs its waiting jobs before it stops, and releases a job that does not end', async () => {
  const { flowrra, clock, types } = await start();
  const gate = new Gate();
  const ran: number[] = [];
  flowrra.register({ name: 'note' }, (n: number) => void ran.push(n));
  flowrra.register({ name: 'hold' }, () => gate.passed);
  await flowrra.submitMany('note', [[1], [2]]);
  const held = await flowrra.submit('hold');
  const stopped = flowrra.stop({ timeout: '10s' });
  await clock.advance(15_000);
  await stopped;
  expect(ran).toEqual([1, 2]);
  expect(types(held)).toEqual(['submitted', 'started', 'released']);
  gate.open();
});

it('rejects settings and features that it does not support', async () => {
  await expect(start({ role: 'producer' })).rejects.toThrow(/'smallest' does not support role: 'producer'/);
  await expect(start({ queues: { mail: { fleetConcurrency: 1 } } })).rejects.toThrow(
    /'smallest' does not support fleetConcurrency of queue 'mail'/,
  );
  await expect(start({ maxPending: 10 })).rejects.toThrow(FlowrraConfigError);
  const { flowrra } = await start();
  flowrra.register({ name: 'note' }, () => undefined);
  await expect(flowrra.with({ dedupe: { key: 'k' } }).submit('note')).rejects.toThrow(
    /'smallest' does not support dedupe/,
  );
  const id = await flowrra.submit('note');
  await expect(flowrra.getResult(id)).rejects.toThrow(
    /'smallest' does not support results: it stores none. Configure a backend/,
  );
  await expect(flowrra.cancel(id)).rejects.toThrow(
    /'smallest' does not support control: it can neither cancel/,
  );
});
