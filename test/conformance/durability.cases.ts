import { Injectable } from '@nestjs/common';
import { FatalTaskError, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, type EngineUnderTest, types } from './engine-under-test.js';

@Injectable()
class Kept {
  readonly ran: string[] = [];
  readonly gate = new Gate<string>();

  @Task()
  note(name: string): string {
    this.ran.push(name);
    return `noted ${name}`;
  }

  @Task()
  hold(): Promise<string> {
    return this.gate.passed;
  }

  @Task({ maxRetries: 5, retryDelay: '1h' })
  fails(@TaskCtx() { attempt }: TaskContext): void {
    throw new RangeError(`attempt ${attempt}`);
  }

  @Task({ retryDelay: 0 })
  async failsThenHolds(@TaskCtx() { attempt }: TaskContext): Promise<unknown> {
    if (attempt === 1) throw new Error('not yet');
    this.ran.push('again');
    return this.gate.passed;
  }

  @Task()
  fatal(): void {
    throw new FatalTaskError('for good');
  }
}

const REMOTE = { remoteTasks: { 'Kept.note': {}, 'Kept.hold': {}, 'Kept.fails': {} } };

/** What outlives the process that submitted it, and what several processes see of each other. */
export function durabilityCases(beds: Beds, engine: EngineUnderTest): void {
  const shares = !engine.cannot.includes('share jobs');
  if (!shares)
    it('runs all its jobs in one process, so none may only submit', async () => {
      await expect(beds.start([], { role: 'producer' })).rejects.toThrow(/role/);
    });
  if (engine.cannot.includes('keep jobs')) return;

  it('keeps jobs that wait, that are delayed and that are to be retried, with all that is known of them', async () => {
    const first = await beds.start([Kept], { numWorkers: 1 });
    const failing = await first.flowrra.with({ maxRetries: 1, priority: 7 }).submit('Kept.fails');
    await first.advance(0);
    await first.flowrra.submit('Kept.hold');
    await first.advance(0);
    const waiting = await first.flowrra.submit('Kept.note', 'waiting');
    const delayed = await first.flowrra.with({ delay: '2h' }).submit('Kept.note', 'delayed');
    const before = await first.flowrra.getResult(failing);
    expect(before).toMatchObject({
      status: 'retrying',
      retries: 1,
      errors: [{ name: 'RangeError', attempt: 1 }],
    });
    const stopped = first.flowrra.stop({ wait: false });
    await first.advance(60_000);
    await stopped;

    const second = await beds.start([Kept], { numWorkers: 1 }, first);
    expect(await second.flowrra.getResult(failing)).toEqual(before);
    expect(await second.flowrra.getResult(delayed)).toMatchObject({ status: 'pending' });
    const tasks = second.app.get(Kept);
    tasks.gate.open('now');
    expect((await second.flowrra.waitForResult(waiting)).result).toBe('noted waiting');
    await second.advance(3_600_000);
    expect(await second.flowrra.getResult(failing)).toMatchObject({
      status: 'failed',
      retries: 1,
      errors: [{ message: 'attempt 1' }, { message: 'attempt 2' }],
    });
    expect(tasks.ran).toEqual(['waiting']);
    await second.advance(3_600_000);
    expect((await second.flowrra.waitForResult(delayed)).result).toBe('noted delayed');
  });

  it('results outlive the application, to the millisecond', async () => {
    const first = await beds.start([Kept]);
    const id = await first.flowrra.submit('Kept.note', 'kept');
    const fatal = await first.flowrra.submit('Kept.fatal');
    const results = [await first.flowrra.waitForResult(id), await first.flowrra.waitForResult(fatal)];
    await first.flowrra.stop();
    const second = await beds.start([Kept], {}, first);
    expect([await second.flowrra.getResult(id), await second.flowrra.waitForResult(fatal)]).toEqual(results);
  });

  it('refuses a default name that a minifier may have made: jobs would outlive it', async () => {
    @Injectable()
    class q {
      @Task()
      work(): void {}
    }
    await expect(beds.start([q])).rejects.toThrow(/'q\.work'.*@Task\(\{ name/);
  });

  if (!shares) return;

  it('runs what a producer has submitted, and the producer hears of the result', async () => {
    const producer = await beds.start([], { role: 'producer', ...REMOTE });
    const id = await producer.flowrra.submit('Kept.note', 'far');
    const waiting = producer.flowrra.waitForResult(id);
    await producer.advance(1_000);
    expect(await producer.flowrra.getResult(id)).toMatchObject({ status: 'pending' });
    const worker = await beds.start([Kept], { role: 'worker' }, producer);
    expect(await waiting).toMatchObject({ status: 'success', result: 'noted far' });
    expect(worker.app.get(Kept).ran).toEqual(['far']);
    expect(await worker.flowrra.getResult(id)).toMatchObject({ taskName: 'Kept.note', result: 'noted far' });
  });

  it('a producer that waits for several results hears of each, whatever became of it', async () => {
    const producer = await beds.start([], {
      role: 'producer',
      remoteTasks: { 'Kept.note': {}, 'Kept.fatal': {} },
    });
    const worker = await beds.start([Kept], {}, producer);
    const ids = await producer.flowrra.submitMany('Kept.note', [['a'], ['b'], ['c']]);
    ids.push(await producer.flowrra.submit('Kept.fatal'));
    const results = await Promise.all(ids.map((id) => producer.flowrra.waitForResult(id)));
    expect(results.map(({ result, error }) => result ?? error)).toEqual([
      'noted a',
      'noted b',
      'noted c',
      'FatalTaskError: for good',
    ]);
    await worker.advance(0);
  });

  it('a retry that was given back is still to be retried', async () => {
    const first = await beds.start([Kept]);
    const kept = first.app.get(Kept);
    const id = await first.flowrra.submit(kept.failsThenHolds);
    while (kept.ran.length === 0) await first.advance(100);
    const stopped = first.flowrra.stop({ wait: false });
    await first.advance(60_000);
    await stopped;
    const later = await beds.start([], { role: 'producer' }, first);
    const waiting = { status: 'retrying', retries: 1 };
    expect(await later.flowrra.getResult(id)).toMatchObject(waiting);
    expect((await later.flowrra.jobs.find({ status: 'retrying' })).jobs).toMatchObject([waiting]);
  });

  it('no job runs twice, however many workers there are', async () => {
    const first = await beds.start([Kept]);
    const others = [await beds.start([Kept], {}, first), await beds.start([Kept], {}, first)];
    const names = Array.from({ length: 300 }, (_, n) => `job ${n}`);
    const ids = await first.flowrra.submitMany(
      'Kept.note',
      names.map((name) => [name]),
    );
    await Promise.all(ids.map((id) => first.flowrra.waitForResult(id)));
    const ran = [first, ...others].flatMap(({ app }) => app.get(Kept).ran);
    expect(ran.sort()).toEqual([...names].sort());
    expect(await first.flowrra.pendingCount()).toBe(0);
  });

  it('a chosen id stands for one job, whoever submits it', async () => {
    const first = await beds.start([Kept]);
    const second = await beds.start([Kept], {}, first);
    const taskId = 'order-17';
    const ids = await Promise.all(
      [first, second, first, second].map(({ flowrra }, n) =>
        flowrra.with({ taskId }).submit('Kept.note', `submission ${n}`),
      ),
    );
    expect(new Set(ids)).toEqual(new Set([taskId]));
    await first.flowrra.waitForResult(taskId);
    await second.flowrra.with({ taskId }).submit('Kept.note', 'late');
    await second.advance(0);
    expect([...first.app.get(Kept).ran, ...second.app.get(Kept).ran]).toHaveLength(1);
  });

  it('a job of a task that nobody knows is kept, and runs when the task is back, with all its retries', async () => {
    const producer = await beds.start([], { role: 'producer', ...REMOTE });
    const id = await producer.flowrra.submit('Kept.note', 'early');
    const stranger = await beds.start([], {}, producer);
    await stranger.advance(60_000);
    expect(await stranger.flowrra.getResult(id)).toMatchObject({ status: 'pending', retries: 0, errors: [] });
    expect(types(stranger.seen, id)).not.toContain('started');
    await stranger.flowrra.stop({ wait: false });
    const worker = await beds.start([Kept], {}, producer);
    await worker.advance(10_000);
    expect(await worker.flowrra.getResult(id)).toMatchObject({ status: 'success', retries: 0, errors: [] });
  });

  it('what is given back at a stop another worker runs at once', async () => {
    const first = await beds.start([Kept]);
    const id = await first.flowrra.submit('Kept.hold');
    await first.advance(0);
    const second = await beds.start([Kept], {}, first);
    second.app.get(Kept).gate.open('by the other');
    const waiting = second.flowrra.waitForResult(id);
    const stopped = first.flowrra.stop({ wait: false });
    await first.advance(60_000);
    await stopped;
    await second.advance(0);
    expect(await waiting).toMatchObject({ result: 'by the other', retries: 0 });
  });

  it('bounds what waits for all who submit', async () => {
    const options = { maxPending: 2, whenFull: 'reject', role: 'producer', ...REMOTE } as const;
    const first = await beds.start([], options);
    const second = await beds.start([], options, first);
    await first.flowrra.submit('Kept.note', 'a');
    await second.flowrra.submit('Kept.note', 'b');
    await expect(first.flowrra.submit('Kept.note', 'c')).rejects.toThrow(/maxPending is 2/);
    expect(await second.flowrra.pendingCount()).toBe(2);
  });

  it('a submission that waits for room gets in when another process has made some', async () => {
    const producer = await beds.start([], { maxPending: 1, role: 'producer', ...REMOTE });
    await producer.flowrra.submit('Kept.note', 'a');
    const waiting = producer.flowrra.submit('Kept.note', 'b');
    await producer.advance(0);
    await beds.start([Kept], {}, producer);
    expect((await producer.flowrra.waitForResult(await waiting)).result).toBe('noted b');
  });
}
