import { jest } from '@jest/globals';
import { EmbeddedEngine } from '../../../lib/engine/embedded/embedded-engine.js';
import type { JobStore, OpenStore, StoreConfig } from '../../../lib/engine/embedded/job-store.js';
import type { EngineEvent } from '../../../lib/engine/engine.js';
import type { Attempt, NewJob } from '../../../lib/job/job.js';
import type { Outcome } from '../../../lib/job/outcome.js';
import { Run } from '../../../lib/run/run.js';
import type { TaskCall } from '../../../lib/run/task-definition.js';
import { newJob, queueOf } from '../../support/jobs.js';
import { settle } from '../../support/manual-clock.js';
import { attemptOf, partsOf } from '../../support/run-parts.js';

/** A store that hands out what it was given, and notes what it is told. */
class FakeStore {
  readonly durable: boolean;
  readonly supports: JobStore['supports'] = new Set();
  readonly settled: Outcome[] = [];
  readonly results = {} as never;
  readonly control = {} as never;
  begins: (attempt: Attempt) => boolean = () => true;
  stop = jest.fn(() => 0);
  close = jest.fn(() => undefined);
  config: StoreConfig | null = null;
  private waiting: Attempt[] = [];

  constructor(durable = false) {
    this.durable = durable;
  }

  open(config: StoreConfig): OpenStore {
    this.config = config;
    return this;
  }

  insert(job: NewJob): string {
    const taskId = `job ${this.waiting.length}`;
    this.waiting.push(attemptOf({ taskId, args: () => [...job.args] }));
    return taskId;
  }

  insertMany(jobs: readonly NewJob[]): string[] {
    return jobs.map((job) => this.insert(job));
  }

  hasExisting(): boolean {
    return false;
  }

  claim(_queue: string, limit: number): readonly Attempt[] {
    return this.waiting.splice(0, limit);
  }

  settle(_attempt: Attempt, outcome: Outcome): boolean {
    this.settled.push(outcome);
    return true;
  }

  nextDue(): number | null {
    return this.waiting.length > 0 ? 0 : null;
  }

  pendingCount(): number {
    return this.waiting.length;
  }
}

async function setUp(code: (call: TaskCall) => unknown, store = new FakeStore(), maxPending = Infinity) {
  const parts = partsOf(code);
  const events: EngineEvent[] = [];
  const runs: Run[] = [];
  const engine = await new EmbeddedEngine('fake', store).connect({
    queues: [queueOf('q', { concurrency: 2 })],
    clock: parts.clock,
    retention: { resultTtl: 1_000, maxResults: 10 },
    backPressure: { maxPending, whenFull: 'wait' },
    closing: new AbortController().signal,
    run(attempt) {
      const run = new Run(attempt, parts);
      runs.push(run);
      return run;
    },
    notify: (event) => void events.push(event),
  });
  return { ...parts, engine, store, notified: events, runs };
}

const never = (): Promise<never> => new Promise(() => undefined);

it('runs jobs after consume(), and tells that their outcomes are stored', async () => {
  const { engine, store, notified } = await setUp(() => 'done');
  expect(engine.enqueue(newJob())).toBe('job 0');
  await settle();
  expect(store.settled).toEqual([]);
  engine.consume();
  await settle();
  expect(store.settled).toEqual([{ kind: 'success', result: 'done' }]);
  expect(notified).toMatchObject([{ type: 'settled', outcome: { kind: 'success' } }]);
});

it('an attempt whose job was cancelled before it began never starts, and its place is free', async () => {
  const store = new FakeStore();
  const begins = jest.spyOn(store, 'begins').mockReturnValueOnce(false);
  const { engine, runs } = await setUp(() => 1, store);
  engine.consume();
  await engine.enqueueMany([newJob(), newJob(), newJob()]);
  await settle();
  expect(begins).toHaveBeenCalledTimes(3);
  expect(runs).toHaveLength(2);
});

it('the store tells of running attempts: cancelled and lost ones', async () => {
  const { engine, store, runs } = await setUp(never);
  engine.consume();
  await engine.enqueueMany([newJob(), newJob()]);
  await settle();
  const [first, second] = runs as [Run, Run];
  store.config?.notify({ type: 'cancelled', attempt: first.attempt, reason: 'enough' });
  store.config?.notify({ type: 'lost', attempt: second.attempt });
  store.config?.notify({ type: 'lost', attempt: attemptOf() });
  expect([first.cancelReason, second.isLost]).toEqual(['enough', true]);
});

it('hands on that a job has ended, also while the store opens', async () => {
  const store = new FakeStore();
  const open = store.open.bind(store);
  const row = { taskId: 'old' } as never;
  store.open = (config) => {
    config.notify({ type: 'changed' });
    config.notify({ type: 'ended', row });
    return open(config);
  };
  const { notified } = await setUp(() => 1, store);
  expect(notified).toEqual([{ type: 'cancelled', row }]);
});

describe('drain()', () => {
  it('of an engine that is not durable runs waiting jobs first, and then accepts none', async () => {
    const { engine, store, clock } = await setUp(() => 1);
    engine.consume();
    await engine.enqueueMany([newJob(), newJob(), newJob(), newJob()]);
    const drained = engine.drain(1_000, 1_000);
    await clock.advance(0);
    expect(await drained).toEqual({ unfinished: 0, dropped: 0 });
    expect(store.settled).toHaveLength(4);
    expect(() => engine.enqueue(newJob())).toThrow('it has been stopped');
    expect(clock.armed).toBe(0);
  });

  it('of a durable engine starts no waiting job, and still accepts some', async () => {
    const { engine, store } = await setUp(() => 1, new FakeStore(true));
    engine.consume();
    await engine.drain(0, 0);
    expect(engine.enqueue(newJob())).toBe('job 0');
    await settle();
    expect(store.settled).toEqual([]);
  });

  it('reports abandoned attempts, and the lost jobs beside them', async () => {
    const { engine, store, clock } = await setUp(never);
    store.stop.mockReturnValue(5);
    engine.consume();
    await engine.enqueueMany([newJob(), newJob(), newJob()]);
    await settle();
    const drained = engine.drain(1_000, 500);
    await clock.advance(1_500);
    expect(await drained).toEqual({ unfinished: 2, dropped: 3 });
    expect(store.settled).toEqual([
      { kind: 'released', delay: 0 },
      { kind: 'released', delay: 0 },
    ]);
  });
});

it('with maxPending, submissions of a running task do not wait', async () => {
  const started: unknown[] = [];
  const { engine } = await setUp(
    async (call) => {
      started.push(call.taskId);
      if (started.length === 1) await engine.enqueue(newJob());
    },
    new FakeStore(),
    1,
  );
  engine.consume();
  await engine.enqueue(newJob());
  await settle();
  expect(started).toHaveLength(2);
});

it('close() accepts nothing more', async () => {
  const { engine, store } = await setUp(() => 1);
  await engine.close();
  expect(store.close).toHaveBeenCalledTimes(1);
  expect(() => engine.enqueueMany([newJob()])).toThrow('it has been stopped');
});
