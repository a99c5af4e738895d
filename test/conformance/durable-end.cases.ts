import { Injectable } from '@nestjs/common';
import { FlowrraService, InMemoryBackend, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

const HOUR = 3_600_000;

@Injectable()
class Trips {
  readonly did: string[] = [];
  readonly gate = new Gate();
  fails = 0;
  trains = 0;
  /** The id of the job whose attempts wait for the gate between its steps. */
  blocked: string | null = null;

  constructor(readonly flowrra: FlowrraService) {}

  @Task({ maxRetries: 0 })
  async beside(@TaskCtx() ctx: TaskContext): Promise<void> {
    await Promise.all([
      ctx.step('flight', () => this.fail('no flight')),
      ctx.step('hotel', async () => this.gate.passed.then(() => this.note('hotel')), {
        undo: () => this.note('no hotel'),
      }),
    ]);
  }

  @Task({ maxRetries: 0, killGrace: '1s' })
  async slow(@TaskCtx() ctx: TaskContext): Promise<void> {
    const book = (name: string): Promise<string> =>
      ctx.step(name, () => this.note(name), { undo: () => this.note(`no ${name}`) });
    await book('hotel');
    if (ctx.taskId === this.blocked) await this.gate.passed;
    await book('car');
    await ctx.sleep('a while', '1h');
  }

  @Task({ maxRetries: 0 })
  async branches(@TaskCtx() ctx: TaskContext): Promise<void> {
    const book = async (name: string): Promise<void> => {
      for (const part of [1, 2, 3])
        await ctx.step(`${name} ${part}`, () => this.note(`${name} ${part}`), {
          undo: () => this.note(`no ${name} ${part}`),
        });
    };
    await Promise.all([ctx.call(this.failing), book('hotel')]);
  }

  @Task({ maxRetries: 0 })
  async failing(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.sleep('a while', '1h');
    this.fail('no flight');
  }

  @Task({ maxRetries: 0 })
  async once(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('hotel', () => this.note('hotel'), { undo: () => this.note('no hotel') });
    if (this.fails-- > 0) this.fail('no flight');
    await ctx.step('car', () => this.note('car'));
  }

  @Task({ maxRetries: 2, retryDelay: 0 })
  async again(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('flight', () => {
      this.note('flight');
      if (this.fails-- > 0) this.fail('no flight');
    });
  }

  @Task({ maxRetries: 1, retryDelay: '1s', expires: '1h' })
  async late(@TaskCtx() ctx: TaskContext): Promise<string> {
    await ctx.sleep('a while', '3h');
    if (this.fails-- > 0) this.fail('not yet');
    return 'done';
  }

  @Task({ maxRetries: 0, timeout: '1m' })
  async deaf(@TaskCtx() ctx: TaskContext): Promise<void> {
    await this.gate.passed;
    await ctx.sleep('a while', '3h');
  }

  @Task()
  async parent(@TaskCtx() ctx: TaskContext): Promise<void> {
    await Promise.all([ctx.call(this.child), ctx.with({ delay: '1d' }).call(this.plain)]);
  }

  @Task()
  async child(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('room', () => this.note('room'), { undo: () => this.note('no room') });
    await ctx.waitFor('go');
  }

  @Task({ maxRetries: 1, retryDelay: '1h' })
  async caught(@TaskCtx() ctx: TaskContext): Promise<void> {
    const maxRetries = ctx.attempt - 1;
    const flight = ctx.step('flight', () => this.fails-- > 0 && this.fail('no flight'), {
      maxRetries,
      retryDelay: '1d',
    });
    await flight.catch(() => undefined);
    await ctx.call(this.train).catch(() => undefined);
    await ctx.step('hotel', () => this.note('hotel'), { undo: () => this.note('no hotel') });
    this.fail('no car');
  }

  /** The first one fails, and the second one waits. */
  @Task({ maxRetries: 0 })
  async train(@TaskCtx() ctx: TaskContext): Promise<void> {
    const isFirst = this.trains++ === 0;
    if (isFirst) this.fail('no train');
    await ctx.waitFor('go');
  }

  @Task()
  plain(): void {
    this.note('plain');
  }

  @Task({ maxRetries: 0 })
  async fromStep(@TaskCtx() ctx: TaskContext): Promise<string> {
    const [label] = await Promise.all([
      ctx.call(this.label),
      ctx.sleep('soon', '1s').then(() => ctx.step('hotel', () => this.note('hotel'))),
    ]);
    await ctx.waitFor('go', { timeout: '1h' });
    if (this.fails-- > 0) this.fail('no flight');
    return `${label}`;
  }

  @Task()
  async label(@TaskCtx() ctx: TaskContext): Promise<string> {
    // Once before the wait, and once after it.
    this.note('label');
    await ctx.sleep('a while', '1m');
    return 'label';
  }

  private note(text: string): string {
    this.did.push(text);
    return text;
  }

  private fail(message: string): void {
    throw new Error(message);
  }
}

/** The ends of durable jobs: failures, undo, cancellations and retries. */
export function durableEndCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('journal')) return;

  it('a step that is under way when its job fails comes to its end, and is undone', async () => {
    const { app, flowrra, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    const id = await flowrra.submit(trips.beside);
    await advance(0);
    expect((await flowrra.getResult(id))?.status).toBe('running');
    trips.gate.open();
    const { status, error } = await flowrra.waitForResult(id);
    expect([status, error]).toEqual(['failed', 'Error: no flight']);
    expect(trips.did).toEqual(['hotel', 'no hotel']);
  });

  it('steps that the code of a cancelled job does not reach before its end are undone by another attempt', async () => {
    const { app, flowrra, clock, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    const id = await flowrra.submit(trips.slow);
    await advance(0);
    expect((await flowrra.getResult(id))?.status).toBe('suspended');
    trips.blocked = id;
    await advance(HOUR);
    await until(async () => (await flowrra.getResult(id))?.status === 'running', {
      describe: 'the job goes on',
    });
    await flowrra.cancel(id);
    await advance(1_000);
    trips.gate.open();
    const ended = flowrra.waitForResult(id);
    await clock.advance(10_000);
    expect((await ended).status).toBe('cancelled');
    expect(trips.did).toEqual(['hotel', 'car', 'no car', 'no hotel']);
  });

  it('the steps of all branches are undone, also if a recorded failure is answered before them', async () => {
    const { app, flowrra, advance } = await beds.start([Trips], { resultTtl: '30d' });
    const trips = app.get(Trips);
    const id = await flowrra.submit(trips.branches);
    await advance(2 * HOUR);
    await advance(1_000);
    const { status, error } = await flowrra.waitForResult(id);
    expect([status, error?.includes('no flight')]).toEqual(['failed', true]);
    const booked = ['hotel 1', 'hotel 2', 'hotel 3'];
    expect(trips.did).toEqual([...booked, ...booked.toReversed().map((name) => `no ${name}`)]);
  });

  it('a failed job that is retried and then cancelled while it waits ends as cancelled', async () => {
    const { app, flowrra, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    trips.fails = 1;
    const id = await flowrra.submit(trips.once);
    await advance(0);
    expect((await flowrra.waitForResult(id)).status).toBe('failed');
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await flowrra.cancel(id)).toBe(true);
    await flowrra.queues.resume('default');
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('cancelled');
    expect(trips.did).toEqual(['hotel', 'no hotel']);
  });

  it.each([
    ['waits for its retry', 2, 1_000, 'retrying'],
    ['tries the step again', 2, HOUR + 1_000, 'suspended'],
    ['has called the child again', 1, HOUR + 1_000, 'suspended'],
  ])(
    'steps behind a step and a child whose failures were caught are undone if the cancelled job %s',
    async (_state, fails, time, status) => {
      const { app, flowrra, advance } = await beds.start([Trips], { resultTtl: '30d' });
      const trips = app.get(Trips);
      trips.fails = fails;
      const id = await flowrra.submit(trips.caught);
      await advance(1_000);
      await advance(time);
      expect((await flowrra.getResult(id))?.status).toBe(status);
      expect(await flowrra.cancel(id)).toBe(true);
      await advance(1_000);
      expect((await flowrra.waitForResult(id)).status).toBe('cancelled');
      expect(trips.did).toEqual(['hotel', 'no hotel']);
    },
  );

  it('a retried job does its undone steps again', async () => {
    const { app, flowrra, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    trips.fails = 1;
    const id = await flowrra.submit(trips.once);
    await advance(0);
    expect((await flowrra.waitForResult(id)).status).toBe('failed');
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('success');
    expect(trips.did).toEqual(['hotel', 'no hotel', 'hotel', 'car']);
  });

  it('a failed step is tried again in each attempt, also in those of one millisecond', async () => {
    const { app, flowrra, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    trips.fails = 2;
    const id = await flowrra.submit(trips.again);
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('success');
    expect(trips.did).toEqual(['flight', 'flight', 'flight']);
  });

  it('a job that has begun is retried after its expiry', async () => {
    const { app, flowrra, advance } = await beds.start([Trips], { resultTtl: '30d' });
    const trips = app.get(Trips);
    trips.fails = 1;
    const id = await flowrra.submit(trips.late);
    await advance(3 * HOUR + 5_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', retries: 1 });
  });

  it('an attempt that waits after its time-out has failed', async () => {
    const { app, flowrra, clock, advance } = await beds.start([Trips]);
    const trips = app.get(Trips);
    const id = await flowrra.submit(trips.deaf);
    await advance(0);
    await clock.advance(61_000);
    trips.gate.open();
    const { status, error } = await flowrra.waitForResult(id);
    expect([status, error?.includes('timeout of 60000 ms')]).toEqual(['failed', true]);
  });

  it('the children of a cancelled job are cancelled, and their steps are undone', async () => {
    const { app, flowrra, advance } = await beds.start([Trips], { resultTtl: '30d' });
    const trips = app.get(Trips);
    const id = await flowrra.submit(trips.parent);
    await advance(1_000);
    expect(trips.did).toEqual(['room']);
    expect(await flowrra.cancel(id)).toBe(true);
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('cancelled');
    await until(
      async () => {
        await advance(0);
        const { jobs } = await flowrra.jobs.find({ parent: id });
        return jobs.length === 2 && jobs.every(({ status }) => status === 'cancelled');
      },
      { describe: 'both children are cancelled' },
    );
    expect(trips.did).toEqual(['room', 'no room']);
  });

  it('a configured backend hears of the ends of a cancelled job and of its children', async () => {
    const { app, flowrra, advance } = await beds.start([Trips], {
      backend: new InMemoryBackend({ resultTtl: '10000d' }),
    });
    const id = await flowrra.submit(app.get(Trips).parent);
    await advance(1_000);
    expect((await flowrra.getResult(id))?.status).toBe('suspended');
    const { jobs } = await flowrra.jobs.find({ parent: id });
    expect(jobs).toHaveLength(2);
    expect(await flowrra.cancel(id)).toBe(true);
    await advance(1_000);
    for (const taskId of [id, ...jobs.map((job) => job.taskId)]) {
      await advance(1_000);
      expect((await flowrra.waitForResult(taskId)).status).toBe('cancelled');
    }
  });

  it('a job with steps waits for a worker that knows its task, also if it is cancelled meanwhile', async () => {
    const first = await beds.start([Trips], { resultTtl: '30d' });
    if (engine.cannot.includes('share jobs') || engine.cannot.includes('keep jobs')) return;
    const id = await first.flowrra.submit(first.app.get(Trips).child);
    await first.advance(0);
    await first.flowrra.stop();
    const older = await beds.start([], {}, first);
    expect(await older.flowrra.cancel(id)).toBe(true);
    await older.advance(1_000);
    expect((await older.flowrra.getResult(id))?.isComplete).toBe(false);
    await older.flowrra.stop();
    const newer = await beds.start([Trips], {}, first);
    await newer.advance(HOUR);
    expect((await newer.flowrra.waitForResult(id)).status).toBe('cancelled');
    expect(newer.app.get(Trips).did).toEqual(['no room']);
  });

  it('a retry from a step keeps the ends of child jobs that were called before it', async () => {
    const { app, flowrra, advance } = await beds.start([Trips], { resultTtl: '30d' });
    const trips = app.get(Trips);
    trips.fails = 1;
    const id = await flowrra.submit(trips.fromStep);
    await advance(61_000);
    await advance(1_000);
    await flowrra.signal(id, 'go');
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).status).toBe('failed');
    expect(await flowrra.jobs.retry(id, { fromStep: 'hotel' })).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: 'label' });
    expect(trips.did.toSorted()).toEqual(['hotel', 'hotel', 'label', 'label']);
  });
}
