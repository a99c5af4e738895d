import { Injectable } from '@nestjs/common';
import {
  FatalTaskError,
  RetryTaskError,
  SnoozeTaskError,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { type Beds, types } from './engine-under-test.js';

@Injectable()
class Flaky {
  /** When each attempt started. */
  readonly at: number[] = [];
  now!: () => number;

  private attempt(failures: number, { attempt }: TaskContext): string {
    this.at.push(this.now());
    if (attempt <= failures) throw new TypeError(`attempt ${attempt} failed`);
    return `attempt ${attempt} succeeded`;
  }

  @Task({ maxRetries: 3, retryDelay: 100 })
  async fixed(failures: number, @TaskCtx() ctx: TaskContext): Promise<string> {
    return this.attempt(failures, ctx);
  }

  @Task({ maxRetries: 20, retryDelay: 100, backoff: 'exponential', maxRetryDelay: 500 })
  exponential(failures: number, @TaskCtx() ctx: TaskContext): string {
    return this.attempt(failures, ctx);
  }

  @Task({ maxRetries: 3, backoff: (attempt, error) => attempt * 10 + (error as Error).message.length })
  custom(failures: number, @TaskCtx() ctx: TaskContext): string {
    return this.attempt(failures, ctx);
  }

  @Task({ maxRetries: 1, retryDelay: 70, backoff: () => 'nonsense' as never })
  badBackoff(failures: number, @TaskCtx() ctx: TaskContext): string {
    return this.attempt(failures, ctx);
  }

  @Task()
  fatal(): void {
    this.at.push(this.now());
    throw new FatalTaskError('no such mailbox', { cause: new Error('550') });
  }

  @Task()
  misconfigured(): void {
    this.at.push(this.now());
    throw new RetryTaskError('soon' as never);
  }

  @Task({ maxRetries: 1 })
  ownDelay(): void {
    this.at.push(this.now());
    throw new RetryTaskError('7s', 'rate limited');
  }

  @Task({ maxRetries: 1, retryDelay: 10 })
  snoozing(@TaskCtx() { attempt }: TaskContext): string {
    this.at.push(this.now());
    if (this.at.length <= 5) throw new SnoozeTaskError('1m');
    if (this.at.length === 6) throw new Error('once');
    return `attempt ${attempt}`;
  }

  @Task()
  delayed(code: 'FLOWRRA_RETRY' | 'FLOWRRA_SNOOZE', delay: number): string {
    this.at.push(this.now());
    if (this.at.length === 1) throw Object.assign(new Error('later'), { code, delay });
    return code;
  }

  @Task()
  snoozingForEver(what: 'class' | 'object'): void {
    this.at.push(this.now());
    throw what === 'class' ? new SnoozeTaskError(0) : { code: 'FLOWRRA_SNOOZE', delay: 0 };
  }
}

export function retryCases(beds: Beds): void {
  async function start() {
    const bed = await beds.start([Flaky]);
    const flaky = bed.app.get(Flaky);
    flaky.now = () => bed.clock.now();
    const delays = (): number[] => flaky.at.slice(1).map((at, n) => at - (flaky.at[n] as number));
    return { ...bed, flaky, delays };
  }

  it.each([
    ['FLOWRRA_RETRY', 1_000.4, 1_000],
    ['FLOWRRA_SNOOZE', 1_000.6, 1_001],
  ] as const)(
    'a thrown object with the code %s may ask for a delay of %d ms',
    async (code, delay, rounded) => {
      const { flowrra, flaky, advance, delays } = await start();
      const id = await flowrra.submit(flaky.delayed, code, delay);
      await advance(0);
      await advance(rounded);
      expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: code });
      expect(delays()).toEqual([rounded]);
    },
  );

  it('a delay that no clock reaches is no delay: the attempt fails as usual', async () => {
    const { flowrra, flaky, advance } = await start();
    const id = await flowrra.with({ maxRetries: 0 }).submit(flaky.delayed, 'FLOWRRA_SNOOZE', 1e300);
    await advance(0);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'failed', error: 'Error: later' });
  });

  it('tries again after a fixed delay until it succeeds, and remembers what failed', async () => {
    const { flowrra, flaky, advance, delays, seen } = await start();
    const id = await flowrra.submit(flaky.fixed, 2);
    await advance(0);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'retrying',
      error: 'TypeError: attempt 1 failed',
      retries: 1,
      finishedAt: null,
    });
    await advance(1_000);
    const result = await flowrra.getResult(id);
    expect(result).toMatchObject({
      status: 'success',
      result: 'attempt 3 succeeded',
      error: null,
      retries: 2,
      isSuccess: true,
    });
    expect(result?.errors).toMatchObject([
      { attempt: 1, name: 'TypeError', message: 'attempt 1 failed', at: expect.any(Date) },
      { attempt: 2, name: 'TypeError', message: 'attempt 2 failed' },
    ]);
    expect(delays()).toEqual([100, 100]);
    expect(types(seen, id)).toEqual([
      'submitted',
      'started',
      'retrying',
      'started',
      'retrying',
      'started',
      'succeeded',
    ]);
    expect(seen.filter((event) => event.type === 'retrying')).toMatchObject([
      { attempt: 1, delay: 100 },
      { attempt: 2, delay: 100 },
    ]);
  });

  it('fails when its retries are used up', async () => {
    const { flowrra, flaky, advance, seen } = await start();
    const id = await flowrra.submit(flaky.fixed, 99);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'failed',
      result: null,
      error: 'TypeError: attempt 4 failed',
      retries: 3,
      isComplete: true,
      isSuccess: false,
    });
    expect(flaky.at).toHaveLength(4);
    expect(types(seen, id).at(-1)).toBe('failed');
  });

  it('doubles an exponential delay up to its limit, and remembers only the last errors', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    const id = await flowrra.submit(flaky.exponential, 12);
    await advance(10_000);
    expect(delays()).toEqual([100, 200, 400, ...Array<number>(9).fill(500)]);
    const result = await flowrra.getResult(id);
    expect(result).toMatchObject({ status: 'success', retries: 12 });
    expect(result?.errors.map(({ attempt }) => attempt)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('asks a backoff function, and falls back to retryDelay if that is no use', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    await flowrra.submit(flaky.custom, 2);
    await advance(1_000);
    expect(delays()).toEqual([26, 36]);
    flaky.at.length = 0;
    const id = await flowrra.submit(flaky.badBackoff, 1);
    await advance(1_000);
    expect(delays()).toEqual([70]);
    expect((await flowrra.getResult(id))?.status).toBe('success');
  });

  it('a FatalTaskError fails the job now', async () => {
    const { flowrra, flaky, advance } = await start();
    const id = await flowrra.submit(flaky.fatal);
    await advance(100_000);
    expect(flaky.at).toHaveLength(1);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'failed',
      retries: 0,
      error: 'FatalTaskError: no such mailbox',
      errors: [{ code: 'FLOWRRA_FATAL' }],
    });
  });

  it('a configuration error is not retried', async () => {
    const { flowrra, flaky, advance } = await start();
    const id = await flowrra.submit(flaky.misconfigured);
    await advance(100_000);
    expect(flaky.at).toHaveLength(1);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'failed',
      retries: 0,
      errors: [{ code: 'FLOWRRA_CONFIG' }],
    });
  });

  it('a RetryTaskError picks the delay, and uses up a retry', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    const id = await flowrra.submit(flaky.ownDelay);
    await advance(100_000);
    expect(delays()).toEqual([7_000]);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'failed',
      retries: 1,
      error: 'RetryTaskError: rate limited',
    });
  });

  it('a SnoozeTaskError comes back without using up a retry', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    const id = await flowrra.submit(flaky.snoozing);
    await advance(0);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'pending', retries: 0, errors: [] });
    await advance(1_000_000);
    expect(delays()).toEqual([60_000, 60_000, 60_000, 60_000, 60_000, 10]);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 'attempt 2', retries: 1 });
  });

  it('a snooze takes a second at least, so that a task that snoozes for ever lets others run', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    for (const error of ['class', 'object'] as const) {
      flaky.at.length = 0;
      const id = await flowrra.submit(flaky.snoozingForEver, error);
      await advance(5_000);
      expect(delays()).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
      await flowrra.cancel(id);
    }
  });

  it('one job may override its task, and no other is touched', async () => {
    const { flowrra, flaky, advance, delays } = await start();
    const impatient = flowrra.with({ maxRetries: 2, retryDelay: '10ms', backoff: 'exponential' });
    const id = await impatient.submit(flaky.fixed, 99);
    await advance(1_000);
    expect(delays()).toEqual([10, 20]);
    expect((await flowrra.getResult(id))?.retries).toBe(2);
    const never = await flowrra.with({ maxRetries: 0 }).submit(flaky.fixed, 99);
    await advance(1_000);
    expect(await flowrra.getResult(never)).toMatchObject({ status: 'failed', retries: 0 });
  });
}
