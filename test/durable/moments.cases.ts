import { setImmediate } from 'node:timers/promises';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { startServices } from '../../scripts/services/services.mjs';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { type Engine, type FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { randomFrom } from '../support/random.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';

const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
const CALLERS = 50;
const ROUNDS = Number(process.env.FLOWRRA_TEST_ROUNDS ?? 40);
/** The longest time between a moment of a job and the call, in turns of the event loop. */
const MOST_TURNS = 60;

@Injectable()
class Waiters {
  /** Called when a method is about to wait. */
  readonly onWait = new Map<string, (round: number) => void>();
  readonly effects: string[] = [];

  @Task()
  async rounds(count: number, @TaskCtx() ctx: TaskContext): Promise<unknown[]> {
    const values: unknown[] = [];
    for (let round = 0; round < count; round++) {
      this.onWait.get(ctx.taskId)?.(round);
      values.push(await ctx.waitFor('go'));
    }
    return values;
  }

  @Task({ maxRetries: 0 })
  async trip(fails: boolean, @TaskCtx() ctx: TaskContext): Promise<void> {
    const { taskId } = ctx;
    for (const name of ['hotel', 'car', 'flight']) {
      await ctx.step(
        name,
        async () => {
          await setImmediate();
          this.effects.push(`${taskId} ${name}`);
        },
        {
          undo: async () => {
            await setImmediate();
            this.effects.push(`${taskId} no ${name}`);
          },
        },
      );
      await ctx.sleep(`after ${name}`, 2);
    }
    if (fails) throw new Error('no weather');
  }
}

interface Place {
  /** Engines on one storage. */
  create(): Engine | 'memory:';
  /** Whether another application can share the storage. */
  readonly isShared: boolean;
  close(): Promise<void>;
}

async function placeOf(kind: string): Promise<Place> {
  const none = async (): Promise<void> => undefined;
  if (kind === 'memory') return { create: () => 'memory:' as const, isShared: false, close: none };
  if (kind === 'sqlite') {
    const file = tempFile();
    return { create: () => sqliteEngine({ file }), isShared: true, close: none };
  }
  const services = await startServices(kind === 'redis' ? { postgres: false } : { redis: false });
  const connection = (services.redisUrl ?? services.postgresUrl) as string;
  const prefix = `moments-${process.pid}`;
  return { create: () => bullmq({ connection, prefix }), isShared: true, close: () => services.stop() };
}

/** Calls from outside at every moment of a durable job, in real time. */
export function momentCases(kind: 'memory' | 'sqlite' | 'redis' | 'postgres'): void {
  const random = randomFrom(SEED);
  let place: Place;
  let worker: INestApplicationContext;
  let other: INestApplicationContext | null = null;
  let flowrra: FlowrraService;
  let waiters: Waiters;
  /** Another application, as another process has one; the worker's own where it cannot be shared. */
  let operator: FlowrraService;

  beforeAll(async () => {
    place = await placeOf(kind);
    const options = { resultTtl: '1d', maxResults: 1_000_000 } as const;
    const started = await startApp(
      { ...options, engine: place.create(), numWorkers: CALLERS },
      { providers: [Waiters] },
    );
    ({ app: worker, flowrra } = started);
    waiters = worker.get(Waiters);
    operator = flowrra;
    if (!place.isShared) return;
    const producer = await startApp({
      ...options,
      engine: place.create(),
      role: 'producer',
      remoteTasks: { 'Waiters.trip': { queue: 'default' } },
    });
    ({ app: other, flowrra: operator } = producer);
  });
  afterAll(async () => {
    await other?.close();
    await worker.close();
    await place.close();
  });

  async function someTurns(): Promise<void> {
    for (let turns = Math.trunc(random() * MOST_TURNS); turns > 0; turns--) await setImmediate();
  }

  it(`a signal at any moment of a suspension wakes the job: ${CALLERS * ROUNDS} signals (seed ${SEED})`, async () => {
    let finished = 0;
    const caller = async (n: number): Promise<void> => {
      const taskId = `rounds-${n}`;
      let [sent, failure] = [-1, null as unknown];
      waiters.onWait.set(taskId, (round) => {
        if (round <= sent) return;
        sent = round;
        void someTurns()
          .then(() => flowrra.signal(taskId, 'go', round))
          .catch((error: unknown) => (failure = error));
      });
      await flowrra.with({ taskId }).submit(waiters.rounds, ROUNDS);
      const { result } = await flowrra.waitForResult(taskId);
      expect(failure).toBeNull();
      expect(result).toEqual(Array.from({ length: ROUNDS }, (_, round) => round));
      finished++;
    };
    const all = Promise.all(Array.from({ length: CALLERS }, (_, n) => caller(n)));
    await Promise.all([
      all,
      until(() => finished === CALLERS, { describe: 'all jobs have got their signals' }),
    ]);
  });

  it(`a job that is cancelled at any moment ends, and has no step that is not undone (seed ${SEED})`, async () => {
    const jobs = Array.from({ length: 2 * CALLERS }, (_, n) => ({ taskId: `trip-${n}`, fails: n % 3 === 0 }));
    let finished = 0;
    const ended = jobs.map(async ({ taskId, fails }) => {
      await flowrra.with({ taskId }).submit(waiters.trip, fails);
      const isAccepted = await someTurns().then(() => operator.cancel(taskId));
      const { status } = await flowrra.waitForResult(taskId);
      finished++;
      return { taskId, status, isAccepted };
    });
    await until(() => finished === jobs.length, { describe: 'all cancelled jobs end' });
    for (const { taskId, status } of await Promise.all(ended)) {
      const did = waiters.effects
        .filter((effect) => effect.startsWith(`${taskId} `))
        .map((effect) => effect.slice(taskId.length + 1));
      const done = did.filter((name) => !name.startsWith('no '));
      const undone = status === 'success' ? [] : done.toReversed().map((name) => `no ${name}`);
      expect([taskId, status, ...did]).toEqual([taskId, status, ...done, ...undone]);
    }
  });
}
