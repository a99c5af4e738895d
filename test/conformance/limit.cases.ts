import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Bed, type Beds, type EngineUnderTest } from './engine-under-test.js';

@Injectable()
class Limited {
  readonly at: number[] = [];
  readonly ran: number[] = [];
  readonly gate = new Gate();
  most = 0;
  private running = 0;
  now!: () => number;

  @Task({ queue: 'slow' })
  tick(n: number): void {
    this.at.push(this.now());
    this.ran.push(n);
  }

  @Task({ queue: 'slow' })
  async hold(): Promise<void> {
    this.most = Math.max(this.most, ++this.running);
    await this.gate.passed;
    this.running--;
  }

  @Task()
  elsewhere(): string {
    return 'done';
  }

  @Task({ maxRetries: 5, retryDelay: '10m', expires: '15m' })
  retriesTooLate(): void {
    throw new Error('not yet');
  }

  @Task({ timeout: '1s', killGrace: '1s', maxRetries: 0 })
  async endless(@TaskCtx() { signal }: TaskContext): Promise<void> {
    signal.addEventListener('abort', () => this.at.push(this.now()));
    await this.gate.passed;
  }
}

const ten = Array.from({ length: 10 }, (_, n): [number] => [n]);

/** How many jobs run, how many start, and when none may. */
export function limitCases(beds: Beds, engine: EngineUnderTest): void {
  const start = async (...args: Parameters<Beds['start']> extends [unknown, ...infer R] ? R : never) => {
    const bed = await beds.start([Limited], ...args);
    const limited = bed.app.get(Limited);
    limited.now = () => bed.clock.now();
    return { ...bed, limited };
  };
  const isPaused = (bed: Bed) => bed.flowrra.queues.isPaused('slow');

  const limitsFleet = !engine.cannot.includes('limit the fleet');
  const rateLimits = limitsFleet ? (['rateLimit', 'fleetRateLimit'] as const) : (['rateLimit'] as const);

  it.each(rateLimits)('%s: so many start within a time', async (limit) => {
    const queues = { slow: { concurrency: 10, [limit]: { max: 3, per: '10s' } } };
    const { flowrra, limited, advance } = await start({ queues });
    await flowrra.submitMany(limited.tick, ten);
    await advance(60_000);
    expect(limited.ran).toHaveLength(10);
    for (const [n, at] of limited.at.entries())
      if (n >= 3) expect(at - (limited.at[n - 3] as number)).toBeGreaterThanOrEqual(9_900);
    expect((limited.at[9] as number) - (limited.at[0] as number)).toBeLessThan(33_000);
  });

  it('a limit of one queue holds no other up', async () => {
    const queues = { slow: { rateLimit: { max: 1, per: '1h' as const } } };
    const { flowrra, limited, advance } = await start({ queues });
    await flowrra.submitMany(limited.tick, ten);
    await advance(1_000);
    const id = await flowrra.submit(limited.elsewhere);
    expect((await flowrra.waitForResult(id)).result).toBe('done');
    expect(limited.ran).toEqual([0]);
  });

  if (limitsFleet) {
    it('fleetConcurrency: so many run at once, however many places there are', async () => {
      const queues = { slow: { concurrency: 5, fleetConcurrency: 2 } };
      const { flowrra, limited, advance } = await start({ queues });
      const ids = await flowrra.submitMany(
        limited.hold,
        Array.from({ length: 6 }, (): [] => []),
      );
      await advance(1_000);
      expect(limited.most).toBe(2);
      limited.gate.open();
      await advance(1_000);
      await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
      expect(limited.most).toBe(2);
    });
  } else {
    it.each([{ fleetConcurrency: 2 }, { fleetRateLimit: { max: 3, per: '10s' as const } }])(
      'rejects a limit of all processes: %j',
      async (slow) => {
        const [option = ''] = Object.keys(slow);
        await expect(start({ queues: { slow } })).rejects.toThrow(
          `does not support ${option} of queue 'slow'`,
        );
      },
    );
  }

  it('a paused queue starts nothing until it is resumed; others go on, and submissions are taken', async () => {
    const bed = await start({ queues: { slow: { concurrency: 4 } } });
    const { flowrra, limited, advance } = bed;
    await flowrra.queues.pause('slow');
    const ids = await flowrra.submitMany(limited.tick, ten);
    const delayed = await flowrra.with({ delay: '5s' }).submit(limited.tick, 10);
    const elsewhere = await flowrra.submit(limited.elsewhere);
    await advance(10_000);
    expect((await flowrra.waitForResult(elsewhere)).result).toBe('done');
    expect(limited.ran).toEqual([]);
    expect(await flowrra.pendingCount()).toBe(11);
    expect(await isPaused(bed)).toBe(true);
    expect(await flowrra.jobs.counts()).toContainEqual(
      expect.objectContaining({ queue: 'slow', paused: true, pending: 11, running: 0 }),
    );
    await flowrra.queues.pause('slow');
    await flowrra.queues.resume('slow');
    await advance(1_000);
    await Promise.all([...ids, delayed].map((id) => flowrra.waitForResult(id)));
    expect(limited.ran.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await isPaused(bed)).toBe(false);
  });

  it('what runs when its queue is paused goes on, and what comes back waits', async () => {
    const { flowrra, limited, advance } = await start({ queues: { slow: { concurrency: 1 } } });
    const running = await flowrra.submit(limited.hold);
    await advance(0);
    const next = await flowrra.submit(limited.tick, 1);
    await flowrra.queues.pause('slow');
    limited.gate.open();
    expect((await flowrra.waitForResult(running)).status).toBe('success');
    await advance(5_000);
    expect(limited.ran).toEqual([]);
    expect(await flowrra.cancel(next)).toBe(true);
    await flowrra.queues.resume('slow');
    await advance(1_000);
    expect(limited.ran).toEqual([]);
  });

  it('pausing while jobs are being handed out: each runs once, before or after', async () => {
    const { flowrra, limited, advance } = await start({ queues: { slow: { concurrency: 3 } } });
    const ids = await flowrra.submitMany(
      limited.tick,
      Array.from({ length: 100 }, (_, n): [number] => [n]),
    );
    await flowrra.queues.pause('slow');
    await advance(1_000);
    const before = limited.ran.length;
    await advance(60_000);
    expect(limited.ran).toHaveLength(before);
    await flowrra.queues.resume('slow');
    await advance(1_000);
    await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(new Set(limited.ran).size).toBe(100);
    expect(limited.ran).toHaveLength(100);
  });

  it('knows its queues', async () => {
    const { flowrra } = await start({ queues: { slow: {} } });
    expect(flowrra.queues.names).toEqual(['default', 'cpu', 'slow']);
    await expect(flowrra.queues.pause('slo')).rejects.toThrow(/Did you mean 'slow'/);
    await expect(flowrra.queues.isPaused('other')).rejects.toThrow(/Known: default, cpu, slow/);
  });

  it('what has not started when it expires is cancelled instead, and says why', async () => {
    const { flowrra, limited, advance } = await start({ queues: { slow: { concurrency: 1 } } });
    await flowrra.submit(limited.hold);
    await advance(0);
    const soon = await flowrra.with({ expires: '5s' }).submit(limited.tick, 1);
    const later = await flowrra.with({ expires: new Date(limited.now() + 60_000) }).submit(limited.tick, 2);
    await advance(10_000);
    limited.gate.open();
    await advance(1_000);
    expect(await flowrra.waitForResult(soon)).toMatchObject({
      status: 'cancelled',
      error: expect.stringMatching(/within 5000 ms.*have passed/),
      startedAt: expect.anything(),
    });
    expect(await flowrra.waitForResult(later)).toMatchObject({ status: 'success' });
    expect(limited.ran).toEqual([2]);
    expect(() => flowrra.with({ expires: new Date(0) })).toThrow(/expires.*must be in the future/);
    expect(() => flowrra.with({ expires: '1m', delay: '2m' })).toThrow(/expires.*never run/);
  });

  it('a delay that is as long as the task expires in, or longer, is refused', async () => {
    const { flowrra, limited } = await start({ queues: { slow: {} } });
    const { retriesTooLate: expiring } = limited;
    const late = flowrra.with({ delay: '15m' });
    await expect(late.submit(expiring)).rejects.toThrow(
      /'Limited.retriesTooLate' expires 900000 ms.*900000 ms, so it would never run.*with\(\{ expires/,
    );
    await expect(late.submitMany(expiring, [[]])).rejects.toThrow(/would never run/);
    const runAt = new Date(limited.now() + 3_600_000);
    await expect(flowrra.with({ runAt }).submit(expiring)).rejects.toThrow(/would never run/);
    expect(await flowrra.pendingCount()).toBe(0);
    await flowrra.with({ delay: '14m' }).submit(expiring);
    await flowrra.with({ delay: '15m', expires: '16m' }).submit(expiring);
    expect(await flowrra.pendingCount()).toBe(2);
  });

  it('a retry that would come too late is none: the job fails with what it threw', async () => {
    const { flowrra, limited, advance } = await start({ queues: { slow: {} } });
    const id = await flowrra.submit(limited.retriesTooLate);
    await advance(0);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'retrying', retries: 1 });
    await advance(600_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'failed',
      error: 'Error: not yet',
      retries: 1,
    });
  });

  it('a time-out aborts the signal, and killGrace later the attempt has failed', async () => {
    const { flowrra, limited, advance, clock } = await start({ queues: { slow: {} } });
    const began = clock.now();
    const id = await flowrra.submit(limited.endless);
    await advance(1_000);
    expect(limited.at.map((at) => at - began)).toEqual([1_000]);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'running' });
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'failed',
      errors: [{ code: 'FLOWRRA_RUN_TIMEOUT' }],
    });
    limited.gate.open();
  });

  if (!engine.cannot.includes('keep jobs'))
    it('a pause outlives the application', async () => {
      const options = { queues: { slow: {} } };
      const first = await start(options);
      await first.flowrra.queues.pause('slow');
      const id = await first.flowrra.submit(first.limited.tick, 1);
      const stopped = first.flowrra.stop();
      await first.advance(60_000);
      await stopped;
      const second = await start(options, first);
      await second.advance(5_000);
      expect(await isPaused(second)).toBe(true);
      expect(second.limited.ran).toEqual([]);
      await second.flowrra.queues.resume('slow');
      await second.advance(5_000);
      expect(await second.flowrra.waitForResult(id)).toMatchObject({ status: 'success' });
    });

  if (engine.cannot.includes('share jobs')) return;

  it('fleet limits hold for all processes together', async () => {
    const queues = {
      slow: { concurrency: 5, fleetConcurrency: 3, fleetRateLimit: { max: 4, per: '1m' as const } },
    };
    const first = await start({ queues });
    const second = await start({ queues }, first);
    await first.flowrra.submitMany(
      first.limited.hold,
      Array.from({ length: 8 }, (): [] => []),
    );
    await first.advance(5_000);
    const running = async () =>
      (await first.flowrra.jobs.counts()).find(({ queue }) => queue === 'slow')?.running;
    expect(await running()).toBe(3);
    first.limited.gate.open();
    second.limited.gate.open();
    await first.advance(5_000);
    expect(await first.flowrra.pendingCount()).toBe(4);
    await first.advance(120_000);
    expect(await first.flowrra.pendingCount()).toBe(0);
  });

  it('a pause is for all processes, and outlives them', async () => {
    const options = { queues: { slow: {} } };
    const first = await start(options);
    const second = await start(options, first);
    await first.flowrra.queues.pause('slow');
    await second.flowrra.submit(second.limited.tick, 1);
    await first.advance(5_000);
    expect([...first.limited.ran, ...second.limited.ran]).toEqual([]);
    for (const { flowrra } of [first, second]) {
      const stopped = flowrra.stop();
      await first.advance(60_000);
      await stopped;
    }
    const third = await start(options, first);
    await third.advance(5_000);
    expect(await isPaused(third)).toBe(true);
    expect(third.limited.ran).toEqual([]);
    const operator = await beds.start([], { ...options, role: 'producer' }, first);
    await operator.flowrra.queues.resume('slow');
    await third.advance(5_000);
    while (third.limited.ran.length === 0) await third.advance(100);
    expect(third.limited.ran).toEqual([1]);
  });
}
