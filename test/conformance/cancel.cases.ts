import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { FlowrraConfigError, ResultNotFoundError, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, type EngineUnderTest, types } from './engine-under-test.js';

@Injectable()
class Long {
  readonly ran: string[] = [];
  readonly reasons: unknown[] = [];
  readonly gate = new Gate<string>();
  started = new Gate();

  @Task()
  note(name: string): string {
    this.ran.push(name);
    return name;
  }

  /** Ends when its signal is aborted, as a task should. */
  @Task({ maxRetries: 5, retryDelay: 10 })
  async obedient(@TaskCtx() { signal }: TaskContext): Promise<string> {
    this.ran.push('obedient');
    this.started.open();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.reasons.push(signal.reason);
    throw new Error('interrupted');
  }

  /** Ends when it likes. */
  @Task({ killGrace: '3s' })
  async deaf(): Promise<string> {
    this.ran.push('deaf');
    this.started.open();
    return this.gate.passed;
  }

  @Task({ maxRetries: 5, retryDelay: '1h' })
  fails(): void {
    throw new Error('not today');
  }

  readonly said = new Set<number>();
  readonly late: number[] = [];

  @Task()
  both(n: number): number {
    if (this.said.has(n)) this.late.push(n);
    return n;
  }
}

const REMOTE = { remoteTasks: { 'Long.note': {}, 'Long.obedient': {}, 'Long.deaf': {} } };

/** Cancelling by id, whatever the job is about. */
export function cancelCases(beds: Beds, engine: EngineUnderTest): void {
  it('a job that is cancelled between its claim and its start ends as cancelled', async () => {
    const { flowrra, advance, app } = await beds.start([Long], { numWorkers: 4 });
    const long = app.get(Long);
    await flowrra.queues.pause('default');
    const first = await flowrra.submit(long.note, 'first');
    const second = await flowrra.submit(long.obedient);
    let cancelled: Promise<boolean> | undefined;
    flowrra.events$.subscribe(({ type, taskId }) => {
      if (type === 'started' && taskId === first)
        cancelled = flowrra.cancel(second, { reason: 'by the first' });
    });
    await flowrra.queues.resume('default');
    await advance(0);
    await flowrra.waitForResult(first);
    expect(await cancelled).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(second)).toMatchObject({
      status: 'cancelled',
      error: 'by the first',
      retries: 0,
    });
  });

  it('a job that waits is over at once, for everybody, and never runs', async () => {
    const bed = await beds.start([Long], { numWorkers: 1 });
    const { flowrra, advance, seen } = bed;
    const long = bed.app.get(Long);
    await flowrra.submit(long.deaf);
    await advance(0);
    const id = await flowrra.with({ metadata: { by: 'ada' } }).submit(long.note, 'waits');
    const waiting = flowrra.waitForResult(id);
    expect(await flowrra.cancel(id, { reason: 'no longer wanted' })).toBe(true);
    const cancelled = {
      status: 'cancelled',
      error: 'no longer wanted',
      startedAt: null,
      result: null,
      taskName: 'Long.note',
    };
    await advance(1_000);
    expect(await waiting).toMatchObject(cancelled);
    expect(await flowrra.getResult(id)).toMatchObject(cancelled);
    expect((await waiting).finishedAt).toBeInstanceOf(Date);
    expect(types(seen, id)).toEqual(['submitted', 'cancelled']);
    expect(await flowrra.pendingCount()).toBe(0);
    long.gate.open('done');
    await advance(0);
    expect(long.ran).toEqual(['deaf']);
    expect(await flowrra.cancel(id)).toBe(false);
  });

  it('so is a delayed one, and one that waits for its retry', async () => {
    const { flowrra, advance, app } = await beds.start([Long]);
    const long = app.get(Long);
    const delayed = await flowrra.with({ delay: '1h' }).submit(long.note, 'later');
    const failing = await flowrra.submit(long.fails);
    await advance(0);
    expect(await flowrra.getResult(failing)).toMatchObject({ status: 'retrying' });
    expect([await flowrra.cancel(delayed), await flowrra.cancel(failing)]).toEqual([true, true]);
    await advance(1_000);
    expect(await flowrra.getResult(delayed)).toMatchObject({ status: 'cancelled', error: 'Cancelled' });
    expect(await flowrra.getResult(failing)).toMatchObject({
      status: 'cancelled',
      retries: 1,
      errors: [{ message: 'not today' }],
    });
    await advance(2 * 3_600_000);
    expect(long.ran).toEqual([]);
  });

  it('one that runs is told by its signal, and ends as cancelled, not to be tried again', async () => {
    const { flowrra, advance, app, seen } = await beds.start([Long]);
    const long = app.get(Long);
    const id = await flowrra.submit(long.obedient);
    const waiting = flowrra.waitForResult(id);
    await advance(0);
    await long.started.passed;
    expect(await flowrra.cancel(id, { reason: 'stop it' })).toBe(true);
    await advance(1_000);
    expect(await waiting).toMatchObject({ status: 'cancelled', error: 'stop it', retries: 0 });
    expect(long.reasons).toEqual([
      expect.objectContaining({ code: 'FLOWRRA_CANCELLED', message: 'stop it' }),
    ]);
    await advance(60_000);
    expect(long.ran).toEqual(['obedient']);
    expect(types(seen, id).filter((type) => type !== 'submitted')).toEqual(['started', 'cancelled']);
  });

  it('one that does not listen ends as cancelled after its killGrace, whatever it answers then', async () => {
    const { flowrra, advance, app } = await beds.start([Long], { numWorkers: 1 });
    const long = app.get(Long);
    const id = await flowrra.submit(long.deaf);
    const waiting = flowrra.waitForResult(id);
    await advance(0);
    await long.started.passed;
    expect(await flowrra.cancel(id)).toBe(true);
    await advance(2_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'running' });
    const next = await flowrra.submit(long.note, 'next');
    await advance(3_000);
    expect(await waiting).toMatchObject({ status: 'cancelled', error: 'Cancelled' });
    // Its place is free, though it still runs.
    expect(await flowrra.waitForResult(next)).toMatchObject({ result: 'next' });
    long.gate.open('too late');
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'cancelled', result: null });
  });

  it('cancelling again changes nothing, and twenty at once are one', async () => {
    const { flowrra, advance, app, seen } = await beds.start([Long]);
    const long = app.get(Long);
    const id = await flowrra.submit(long.obedient);
    await advance(0);
    await long.started.passed;
    const told = await Promise.all(
      Array.from({ length: 20 }, (_, n) => flowrra.cancel(id, { reason: `reason ${n}` })),
    );
    expect(told).toContain(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'cancelled' });
    expect(long.reasons).toHaveLength(1);
    const delayed = await flowrra.with({ delay: '1h' }).submit(long.note, 'later');
    const once = await Promise.all(Array.from({ length: 20 }, () => flowrra.cancel(delayed)));
    expect(once).toContain(true);
    await advance(1_000);
    expect(types(seen, delayed).filter((type) => type === 'cancelled')).toHaveLength(1);
  });

  it('says that there was nothing to cancel any more, and refuses what nobody knows', async () => {
    const { flowrra, app } = await beds.start([Long]);
    const id = await flowrra.submit(app.get(Long).note, 'done');
    await flowrra.waitForResult(id);
    expect(await flowrra.cancel(id)).toBe(false);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
    await expect(flowrra.cancel('no-such-job')).rejects.toThrow(ResultNotFoundError);
    await expect(flowrra.cancel(undefined as never)).rejects.toThrow(FlowrraConfigError);
    await expect(flowrra.cancel(id, { reason: '' })).rejects.toThrow(/reason/);
    await expect(flowrra.cancel(id, { raeson: 'x' } as never)).rejects.toThrow(/Did you mean 'reason'/);
    await expect(flowrra.cancel(id, null as never)).rejects.toThrow(FlowrraConfigError);
    await expect(flowrra.waitForResult(id, { timout: 1 } as never)).rejects.toThrow(/Did you mean 'timeout'/);
    await expect(flowrra.stop({ wait: 1 } as never)).rejects.toThrow(/stop wait: 1/);
  });

  it('none begins once its cancellation has been said to be true', async () => {
    const { flowrra, advance, app } = await beds.start([Long], { numWorkers: 3 });
    const long = app.get(Long);
    for (let round = 0; round < 5; round++) {
      const numbers = Array.from({ length: 60 }, (_, n) => 60 * round + n);
      const ids = await flowrra.submitMany(
        long.both,
        numbers.map((n): [number] => [n]),
      );
      const cancelling = numbers.map(async (n, index) => {
        for (let turns = 0; turns < index % 12; turns++) await turn();
        if (await flowrra.cancel(ids[index] as string)) long.said.add(n);
      });
      await advance(1_000);
      await Promise.all(cancelling);
      await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    }
    expect(long.late).toEqual([]);
  });

  it('against starts and ends, each job ends once, and as it was said', async () => {
    const { flowrra, advance, app, seen } = await beds.start([Long], { numWorkers: 3 });
    const long = app.get(Long);
    const ids = await flowrra.submitMany(
      long.both,
      Array.from({ length: 60 }, (_, n): [number] => [n]),
    );
    const said = ids.map(async (id, n) => {
      for (let turns = 0; turns < n % 12; turns++) await turn();
      return flowrra.cancel(id, { reason: `job ${n}` });
    });
    await advance(2_000);
    const answers = await Promise.all(said);
    await advance(2_000);
    const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    for (const [n, result] of results.entries()) {
      const ends = types(seen, ids[n] as string).filter(
        (type) => type === 'cancelled' || type === 'succeeded',
      );
      expect(ends).toHaveLength(1);
      if (result.status === 'success') expect(result.result).toBe(n);
      else expect(result).toMatchObject({ status: 'cancelled', error: `job ${n}` });
      if (answers[n] === false) expect(result.status).toBe('success');
    }
    expect(await flowrra.pendingCount()).toBe(0);
  });

  if (engine.cannot.includes('keep jobs')) return;

  it('what is given back instead of ending is cancelled, and does not run again', async () => {
    const first = await beds.start([Long]);
    const id = await first.flowrra.submit('Long.deaf');
    await first.advance(0);
    await first.app.get(Long).started.passed;
    expect(await first.flowrra.cancel(id, { reason: 'at the end' })).toBe(true);
    const stopped = first.flowrra.stop({ wait: false });
    await first.advance(60_000);
    await stopped;
    const second = await beds.start([Long], {}, first);
    await second.advance(1_000);
    expect(await second.flowrra.waitForResult(id)).toMatchObject({
      status: 'cancelled',
      error: 'at the end',
    });
    expect(second.app.get(Long).ran).toEqual([]);
  });

  if (engine.cannot.includes('share jobs')) return;

  it('from another process: a job that waits is over at once, and waiters everywhere hear of it', async () => {
    const producer = await beds.start([], { role: 'producer', ...REMOTE });
    const other = await beds.start([], { role: 'producer', ...REMOTE }, producer);
    const id = await producer.flowrra.submit('Long.note', 'waits');
    const waiting = producer.flowrra.waitForResult(id);
    expect(await other.flowrra.cancel(id, { reason: 'from afar' })).toBe(true);
    await producer.advance(1_000);
    expect(await waiting).toMatchObject({ status: 'cancelled', error: 'from afar' });
    const worker = await beds.start([Long], {}, producer);
    await worker.advance(1_000);
    expect(worker.app.get(Long).ran).toEqual([]);
    expect(await worker.flowrra.getResult(id)).toMatchObject({ status: 'cancelled', error: 'from afar' });
  });

  it('from another process: one that runs is told, and ends as cancelled', async () => {
    const worker = await beds.start([Long]);
    const other = await beds.start([], { role: 'producer', ...REMOTE }, worker);
    const id = await other.flowrra.submit('Long.obedient');
    const waiting = other.flowrra.waitForResult(id);
    await worker.advance(0);
    const long = worker.app.get(Long);
    await long.started.passed;
    expect(await other.flowrra.cancel(id, { reason: 'from afar' })).toBe(true);
    // Whichever way the news takes, it takes real time.
    while (long.reasons.length === 0) await turn();
    await worker.advance(1_000);
    expect(await waiting).toMatchObject({ status: 'cancelled', error: 'from afar' });
    expect(long.ran).toEqual(['obedient']);
  });
}
