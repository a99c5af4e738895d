import { Injectable } from '@nestjs/common';
import {
  ExecutorNotRunningError,
  FlowrraConfigError,
  type FlowrraService,
  InMemoryBackend,
  ResultExpiredError,
  ResultNotFoundError,
  SnoozeTaskError,
  Task,
  TaskContext,
  TaskCtx,
  type TaskUpdate,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import type { Bed, Beds, EngineUnderTest } from './engine-under-test.js';

@Injectable()
class Watched {
  readonly begun = new Gate();
  readonly gate = new Gate();
  healed = false;

  @Task({ maxRetries: 1, retryDelay: '1s' })
  async steps(@TaskCtx() ctx: TaskContext): Promise<{ at: Date }> {
    ctx.log(`attempt ${ctx.attempt} begins`);
    ctx.progress({ done: 1, of: 2, since: new Date(0) });
    this.begun.open();
    await this.gate.passed;
    if (ctx.attempt === 1) throw new RangeError('once more');
    ctx.log('almost done');
    ctx.progress({ done: 2, of: 2 });
    return { at: new Date(0) };
  }

  @Task({ maxRetries: 0 })
  async hold(@TaskCtx() { signal }: TaskContext): Promise<string> {
    this.begun.open();
    const aborted = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
    await Promise.race([this.gate.passed, aborted]);
    return 'held';
  }

  @Task()
  snoozes(@TaskCtx() ctx: TaskContext): string {
    ctx.log('here');
    if (!this.healed) throw new SnoozeTaskError('1h');
    return 'awake';
  }

  @Task({ maxRetries: 0 })
  fails(@TaskCtx() ctx: TaskContext): string {
    ctx.log(this.healed ? 'healed' : 'broken');
    if (!this.healed) throw new Error('broken');
    return 'healed';
  }
}

const REMOTE = {
  role: 'producer',
  remoteTasks: { 'Watched.steps': {}, 'Watched.hold': {}, 'Watched.snoozes': {} },
} as const;

/** All updates of one subscriber, and how the Observable has ended. */
class Follower {
  readonly updates: TaskUpdate[] = [];
  ended: 'completed' | { readonly error: unknown } | null = null;
  private readonly subscription;

  constructor(
    private readonly bed: Pick<Bed, 'advance'>,
    flowrra: FlowrraService,
    taskId: string,
  ) {
    this.subscription = flowrra.watch(taskId).subscribe({
      next: (update) => this.updates.push(update),
      error: (error: unknown) => (this.ended = { error }),
      complete: () => (this.ended = 'completed'),
    });
  }

  get last(): TaskUpdate | undefined {
    return this.updates.at(-1);
  }

  get statuses(): string[] {
    const all = this.updates.map(({ status }) => status);
    return all.filter((status, index) => status !== all[index - 1]);
  }

  get lines(): string[] {
    return this.updates.flatMap(({ logs }) => logs.map(({ line }) => line));
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }

  /** Lets time pass until an update is as wanted. */
  async sees(describe: string, wanted: (update: TaskUpdate) => boolean): Promise<void> {
    await this.passes(describe, () => this.last !== undefined && wanted(this.last));
  }

  async end(): Promise<Follower['ended']> {
    await this.passes('the end of the updates', () => this.ended !== null);
    return this.ended;
  }

  private async passes(describe: string, condition: () => boolean): Promise<void> {
    const timePasses = async (): Promise<boolean> => {
      if (condition()) return true;
      await this.bed.advance(250);
      return condition();
    };
    await until(timePasses, { describe });
  }
}

const isRunning = ({ status }: TaskUpdate): boolean => status === 'running';
const hasProgress = ({ progress }: TaskUpdate): boolean => progress !== null;

/** Updates of a job from its submission to its end. */
export function watchCases(beds: Beds, engine: EngineUnderTest): void {
  const start = async (options: Parameters<Beds['start']>[1] = {}, beside?: Bed) => {
    const bed = await beds.start([Watched], options, beside);
    const follow = (taskId: string) => new Follower(bed, bed.flowrra, taskId);
    return { ...bed, watched: bed.app.get(Watched), follow };
  };

  it('tells the present state at once, each change, and the end', async () => {
    const { flowrra, watched, follow } = await start();
    await flowrra.queues.pause('default');
    const id = await flowrra.submit(watched.steps);
    const follower = follow(id);
    await follower.sees('the present state', ({ status }) => status === 'pending');
    expect(follower.updates).toEqual([
      {
        taskId: id,
        taskName: 'Watched.steps',
        status: 'pending',
        result: null,
        error: null,
        errors: [],
        submittedAt: expect.any(String),
        startedAt: null,
        finishedAt: null,
        retries: 0,
        progress: null,
        isComplete: false,
        isSuccess: false,
        logs: [],
      },
    ]);
    await flowrra.queues.resume('default');
    await follower.sees('progress', hasProgress);
    expect(follower.last).toMatchObject({
      status: 'running',
      progress: { done: 1, of: 2, since: new Date(0).toISOString() },
    });
    watched.gate.open();
    await follower.sees('the failed attempt', ({ status }) => status === 'retrying');
    expect(follower.last).toMatchObject({
      retries: 1,
      error: 'RangeError: once more',
      errors: [{ attempt: 1, name: 'RangeError', message: 'once more' }],
    });
    expect(await follower.end()).toBe('completed');
    expect(follower.last).toMatchObject({
      status: 'success',
      isComplete: true,
      isSuccess: true,
      result: { at: new Date(0).toISOString() },
      error: null,
      progress: { done: 2, of: 2 },
    });
    expect(follower.statuses).toEqual(['pending', 'running', 'retrying', 'running', 'success']);
    expect(follower.lines).toEqual(['attempt 1 begins', 'attempt 2 begins', 'almost done']);
    expect(JSON.parse(JSON.stringify(follower.updates))).toEqual(follower.updates);
    const { logs: _, ...last } = follower.last as TaskUpdate;
    expect(last).toEqual(JSON.parse(JSON.stringify(await flowrra.getResult(id))));
  });

  it('of a finished job there is one update, with all lines', async () => {
    const { flowrra, watched, follow, advance } = await start();
    const id = await flowrra.submit(watched.fails);
    await flowrra.waitForResult(id);
    await advance(1_000);
    const follower = follow(id);
    expect(await follower.end()).toBe('completed');
    expect(follower.updates).toMatchObject([
      { status: 'failed', error: 'Error: broken', isComplete: true, isSuccess: false, result: null },
    ]);
    expect(follower.lines).toEqual(['broken']);
  });

  it('a subscriber who comes later begins with the present state and all lines, and one who leaves gets no more', async () => {
    const { flowrra, watched, follow, clock, advance } = await start();
    const id = await flowrra.submit(watched.steps);
    const first = follow(id);
    await first.sees('progress', hasProgress);
    await advance(1_000);
    const armed = clock.armed;
    const [second, third] = [follow(id), follow(id)];
    expect(second.updates).toHaveLength(1);
    expect(second.last).toEqual({ ...first.last, logs: second.last?.logs });
    expect(second.lines).toEqual(['attempt 1 begins']);
    expect(second.last).not.toBe(third.last);
    expect(clock.armed).toBe(armed);
    const count = first.updates.length;
    first.unsubscribe();
    third.unsubscribe();
    watched.gate.open();
    expect(await second.end()).toBe('completed');
    expect(second.last).toMatchObject({ status: 'success' });
    expect(second.lines).toEqual(['attempt 1 begins', 'attempt 2 begins', 'almost done']);
    expect(first.updates).toHaveLength(count);
    expect(third.updates).toHaveLength(1);
    expect([first.ended, third.ended]).toEqual([null, null]);
  });

  it('the last one who leaves takes all timers along, and the job can be watched again', async () => {
    const { flowrra, watched, follow, clock, advance } = await start();
    await flowrra.queues.pause('default');
    await advance(0);
    const before = clock.armed;
    const id = await flowrra.submit(watched.steps);
    const updates = flowrra.watch(id);
    expect(clock.armed).toBe(before);
    const followers = [follow(id), follow(id)];
    await followers[0]?.sees('the present state', () => true);
    for (const follower of followers) follower.unsubscribe();
    await until(() => clock.armed === before, { describe: 'no timer is left' });
    const seen: string[] = [];
    const again = updates.subscribe(({ status }) => seen.push(status));
    await until(() => seen.length > 0, { describe: 'the present state' });
    expect(seen).toEqual(['pending']);
    again.unsubscribe();
    await flowrra.cancel(id);
  });

  it('shows a job that is snoozed', async () => {
    const { flowrra, watched, follow } = await start();
    const id = await flowrra.submit(watched.snoozes);
    const follower = follow(id);
    await follower.sees(
      'the snoozed job',
      ({ status, startedAt }) => status === 'pending' && startedAt !== null,
    );
    expect(follower.last).toMatchObject({ retries: 0, error: null });
    watched.healed = true;
    await flowrra.cancel(id, { reason: 'not needed' });
    expect(await follower.end()).toBe('completed');
    expect(follower.last).toMatchObject({ status: 'cancelled', error: 'not needed' });
    expect(follower.lines).toEqual(['here']);
  });

  it('shows the cancellation of a waiting job and of a running one', async () => {
    const { flowrra, watched, follow } = await start();
    const running = await flowrra.submit(watched.hold);
    const waiting = await flowrra.with({ delay: '1h' }).submit(watched.hold);
    const [first, second] = [follow(running), follow(waiting)];
    await first.sees('the running job', isRunning);
    await second.sees('the delayed job', () => true);
    await flowrra.cancel(running, { reason: 'enough' });
    await flowrra.cancel(waiting, { reason: 'too late' });
    expect([await first.end(), await second.end()]).toEqual(['completed', 'completed']);
    expect(first.last).toMatchObject({ status: 'cancelled', error: 'enough', result: null });
    expect(second.last).toMatchObject({ status: 'cancelled', error: 'too late', startedAt: null });
  });

  it('is complete at the end of a job, whatever an operator does with it later', async () => {
    const { flowrra, watched, follow } = await start();
    const id = await flowrra.submit(watched.fails);
    const first = follow(id);
    expect(await first.end()).toBe('completed');
    const count = first.updates.length;
    watched.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    const again = follow(id);
    expect(await again.end()).toBe('completed');
    expect(again.last).toMatchObject({ status: 'success', result: 'healed', retries: 0 });
    expect(again.lines).toEqual(['broken', 'healed']);
    expect(first.updates).toHaveLength(count);
    expect(first.last).toMatchObject({ status: 'failed' });
  });

  it('fails for an unknown id, a dropped result and a value that is no id, as waitForResult does', async () => {
    const { flowrra, watched, follow, advance } = await start({ resultTtl: '1m' });
    const id = await flowrra.submit(watched.fails);
    await flowrra.waitForResult(id);
    await advance(120_000);
    for (const [taskId, type] of [
      [`${id}0`, ResultNotFoundError],
      ['', ResultNotFoundError],
      [id, ResultExpiredError],
      [17 as unknown as string, FlowrraConfigError],
    ] as const) {
      const follower = follow(taskId);
      expect(await follower.end()).toEqual({ error: expect.any(type) });
      expect(follower.updates).toEqual([]);
      const waiting = (async () => flowrra.waitForResult(taskId))();
      await expect(waiting).rejects.toThrow((follower.ended as { error: Error }).error.message);
    }
  });

  it('has the same updates with a configured backend', async () => {
    const backend = new InMemoryBackend({ resultTtl: '10000d' });
    const { flowrra, watched, follow } = await start({ backend });
    const id = await flowrra.submit(watched.steps);
    const follower = follow(id);
    await follower.sees('progress', hasProgress);
    watched.gate.open();
    expect(await follower.end()).toBe('completed');
    expect(follower.last).toMatchObject({ status: 'success', progress: { done: 2 }, retries: 1 });
    expect(follower.lines).toEqual(['attempt 1 begins', 'attempt 2 begins', 'almost done']);
    const unknown = follow(`${id}0`);
    expect(await unknown.end()).toEqual({ error: expect.any(ResultNotFoundError) });
  });

  it('ends when Flowrra stops', async () => {
    const { flowrra, watched, follow, advance } = await start();
    const id = await flowrra.submit(watched.hold);
    const running = follow(id);
    await running.sees('the running job', isRunning);
    const later = follow(await flowrra.with({ delay: '1h' }).submit(watched.hold));
    await later.sees('the delayed job', () => true);
    const stopped = flowrra.stop({ wait: false });
    await advance(60_000);
    await stopped;
    if (engine.cannot.includes('keep jobs')) {
      expect([running.ended, later.ended]).toEqual(['completed', 'completed']);
      expect([running.last, later.last]).toMatchObject([{ status: 'cancelled' }, { status: 'cancelled' }]);
    } else {
      for (const { ended } of [running, later])
        expect(ended).toEqual({ error: expect.any(ExecutorNotRunningError) });
    }
    expect(await follow(id).end()).toEqual({ error: expect.any(ExecutorNotRunningError) });
  });

  it('tells of the last jobs that end during a stop', async () => {
    const { flowrra, watched, follow, advance } = await start();
    const follower = follow(await flowrra.submit(watched.hold));
    await follower.sees('the running job', isRunning);
    const stopped = flowrra.stop();
    await advance(0);
    watched.gate.open();
    await advance(1_000);
    await stopped;
    expect(follower.ended).toBe('completed');
    expect(follower.last).toMatchObject({ status: 'success', result: 'held' });
  });

  if (engine.cannot.includes('share jobs')) return;

  it('tells what happens in another process', async () => {
    const worker = await start();
    const producer = await beds.start([], REMOTE, worker);
    const id = await producer.flowrra.submit('Watched.steps');
    const follower = new Follower(worker, producer.flowrra, id);
    await follower.sees('progress', hasProgress);
    expect(follower.last).toMatchObject({ status: 'running', progress: { done: 1, of: 2 } });
    worker.watched.gate.open();
    await follower.sees('the failed attempt', ({ status }) => status === 'retrying');
    expect(follower.last).toMatchObject({ retries: 1, error: 'RangeError: once more' });
    expect(await follower.end()).toBe('completed');
    expect(follower.last).toMatchObject({ status: 'success', progress: { done: 2, of: 2 } });
    expect(follower.lines).toEqual(['attempt 1 begins', 'attempt 2 begins', 'almost done']);
  });

  it('tells what another process cancels, and what is snoozed there', async () => {
    const worker = await start();
    const producer = await beds.start([], REMOTE, worker);
    const held = await producer.flowrra.submit('Watched.hold');
    const snoozed = await producer.flowrra.submit('Watched.snoozes');
    const [first, second] = [held, snoozed].map((id) => new Follower(worker, producer.flowrra, id)) as [
      Follower,
      Follower,
    ];
    await first.sees('the running job', isRunning);
    await second.sees(
      'the snoozed job',
      ({ status, startedAt }) => status === 'pending' && startedAt !== null,
    );
    await worker.flowrra.cancel(held, { reason: 'enough' });
    await worker.flowrra.cancel(snoozed, { reason: 'no need' });
    expect([await first.end(), await second.end()]).toEqual(['completed', 'completed']);
    expect([first.last, second.last]).toMatchObject([
      { status: 'cancelled', error: 'enough' },
      { status: 'cancelled', error: 'no need' },
    ]);
  });

  it('goes on over a stop of the process that runs the job', async () => {
    const first = await start();
    const second = await start({}, first);
    await second.flowrra.queues.pause('default');
    const producer = await beds.start([], REMOTE, first);
    await producer.flowrra.queues.resume('default');
    const id = await producer.flowrra.submit('Watched.hold');
    const follower = new Follower(first, producer.flowrra, id);
    await follower.sees('the running job', isRunning);
    const stopped = first.flowrra.stop({ wait: false });
    await first.advance(60_000);
    await stopped;
    second.watched.gate.open();
    expect(await follower.end()).toBe('completed');
    expect(follower.last).toMatchObject({ status: 'success', result: 'held', retries: 0 });
  });
}
