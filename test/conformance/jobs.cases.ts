import { Injectable } from '@nestjs/common';
import {
  type DeadLetter,
  FatalTaskError,
  InMemoryBackend,
  type JobSummary,
  SnoozeTaskError,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Bed, type Beds, types } from './engine-under-test.js';

@Injectable()
class Mixed {
  readonly letters: DeadLetter[] = [];
  readonly gate = new Gate();
  healed = false;
  attempts = 0;

  @Task()
  fine(n: number): number {
    return n;
  }

  @Task({ queue: 'other', maxRetries: 1, retryDelay: 10 })
  broken(order: { id: number }): string {
    this.attempts++;
    if (!this.healed) throw new TypeError(`order ${order.id} is broken`);
    return 'healed';
  }

  @Task({ maxRetries: 0 })
  halfway(@TaskCtx() ctx: TaskContext): void {
    ctx.progress(0.5);
    ctx.log('halfway');
    throw new Error('no further');
  }

  @Task({ retryDelay: 10 })
  failsThenSnoozes(@TaskCtx() { attempt }: TaskContext): void {
    throw attempt === 1 ? new Error('not yet') : new SnoozeTaskError('1h');
  }

  @Task()
  async hold(): Promise<void> {
    await this.gate.passed;
  }

  @Task({ maxRetries: 1, retryDelay: 10, deadLetter: 'Mixed.receive' })
  dies(order: { id: number }): void {
    throw new Error(`order ${order.id} is lost`);
  }

  @Task({ deadLetter: 'Mixed.receive' })
  receive(letter: DeadLetter): void {
    this.letters.push(letter);
    if (letter.taskName === 'Mixed.fatal') throw new FatalTaskError('cannot be received');
  }

  @Task({ deadLetter: 'Mixed.receive' })
  fatal(): void {
    throw new FatalTaskError('for good');
  }
}

/** Looking at jobs, and doing to them what operators do. */
export function jobsCases(beds: Beds): void {
  const start = async (options: Parameters<Beds['start']>[1] = {}) => {
    const bed = await beds.start([Mixed], { queues: { other: { concurrency: 4 } }, ...options });
    return { ...bed, mixed: bed.app.get(Mixed) };
  };

  /** Every job that a query finds, however many pages that takes. */
  async function findAll({ flowrra }: Pick<Bed, 'flowrra'>, query: object): Promise<JobSummary[]> {
    const found: JobSummary[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await flowrra.jobs.find({ ...query, ...(cursor !== undefined && { cursor }) });
      found.push(...page.jobs);
      ({ cursor } = page);
    }
    return found;
  }

  const ids = (jobs: readonly JobSummary[]): string[] => jobs.map(({ taskId }) => taskId).sort();

  it('finds jobs by status, task, queue and time, and counts them', async () => {
    const bed = await start({ numWorkers: 1 });
    const { flowrra, mixed, advance, clock } = bed;
    const fine = await flowrra.submitMany(mixed.fine, [[1], [2], [3]]);
    const broken = await flowrra.submit(mixed.broken, { id: 17 });
    await Promise.all(fine.map((id) => flowrra.waitForResult(id)));
    await advance(1_000);
    const later = new Date(clock.now());
    const running = await flowrra.submit(mixed.hold);
    await advance(0);
    const waiting = await flowrra.with({ metadata: { by: 'ada' }, priority: 3 }).submit(mixed.fine, 4);
    const delayed = await flowrra.with({ delay: '1h' }).submit(mixed.broken, { id: 18 });
    const cancelled = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 5);
    await flowrra.cancel(cancelled);
    await advance(1_000);

    const find = async (query: object) => ids(await findAll(bed, query));
    expect(await find({})).toEqual([...fine, broken, running, waiting, delayed, cancelled].sort());
    expect(await find({ status: 'success' })).toEqual([...fine].sort());
    expect(await find({ status: ['failed', 'running'] })).toEqual([broken, running].sort());
    expect(await find({ status: 'pending' })).toEqual([waiting, delayed].sort());
    expect(await find({ status: 'cancelled' })).toEqual([cancelled]);
    expect(await find({ task: 'Mixed.broken' })).toEqual([broken, delayed].sort());
    expect(await find({ queue: 'other', status: 'failed' })).toEqual([broken]);
    expect(await find({ from: later })).toEqual([running, waiting, delayed, cancelled].sort());
    expect(await find({ to: later, task: 'Mixed.fine' })).toEqual([...fine].sort());
    expect(await find({ task: 'Mixed.none' })).toEqual([]);

    const [job] = await findAll(bed, { status: 'pending', queue: 'default' });
    expect(job).toMatchObject({
      taskId: waiting,
      taskName: 'Mixed.fine',
      queue: 'default',
      priority: 3,
      metadata: { by: 'ada' },
      dueAt: null,
      status: 'pending',
    });
    const [due] = await findAll(bed, { status: 'pending', queue: 'other' });
    expect(due?.dueAt?.getTime()).toBe((due?.submittedAt.getTime() ?? 0) + 3_600_000);
    const counts = await flowrra.jobs.counts();
    expect(counts.find(({ queue }) => queue === 'default')).toEqual({
      queue: 'default',
      paused: false,
      pending: 1,
      retrying: 0,
      running: 1,
      success: 3,
      failed: 0,
      cancelled: 1,
    });
    expect(counts.find(({ queue }) => queue === 'other')).toMatchObject({
      pending: 1,
      failed: 1,
      success: 0,
    });
    expect(counts.map(({ queue }) => queue)).toEqual(expect.arrayContaining(['default', 'cpu', 'other']));
  });

  it('what waits and has failed before is to be retried, also if it was put off since', async () => {
    const bed = await start();
    const { flowrra, mixed, advance } = bed;
    const id = await flowrra.submit(mixed.failsThenSnoozes);
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'retrying', retries: 1 });
    expect(ids(await findAll(bed, { status: 'retrying' }))).toEqual([id]);
    expect(await findAll(bed, { status: 'pending' })).toEqual([]);
    expect(await flowrra.cancel(id)).toBe(true);
    expect(await flowrra.pendingCount()).toBe(0);
  });

  it('a delay for ever is shown as the last day there is', async () => {
    const { flowrra, mixed } = await start();
    const id = await flowrra.with({ delay: Number.MAX_SAFE_INTEGER }).submit(mixed.fine, 1);
    const shown = JSON.parse(JSON.stringify(await flowrra.jobs.get(id))) as { dueAt: string };
    expect(shown.dueAt).toBe(new Date(8.64e15).toISOString());
    expect(await flowrra.cancel(id)).toBe(true);
  });

  it('pages hold no more than was asked for, and each job once', async () => {
    const bed = await start();
    const { flowrra, mixed } = bed;
    const submitted = await flowrra.submitMany(
      mixed.fine,
      Array.from({ length: 45 }, (_, n): [number] => [n]),
    );
    await Promise.all(submitted.map((id) => flowrra.waitForResult(id)));
    const first = await flowrra.jobs.find({ limit: 10 });
    expect(first.jobs.length).toBeLessThanOrEqual(10);
    expect(ids(await findAll(bed, { limit: 10 }))).toEqual([...submitted].sort());
    expect(ids(await findAll(bed, { limit: 7, status: 'success', queue: 'default' }))).toEqual(
      [...submitted].sort(),
    );
  });

  it('refuses queries that mean nothing', async () => {
    const { flowrra } = await start();
    const wrong: [object, RegExp][] = [
      [{ status: 'done' }, /status.*Known: pending/],
      [{ limit: 0 }, /limit/],
      [{ from: 'yesterday' }, /from.*Date/],
      [{ tasks: 'x' }, /Did you mean 'task'/],
      [{ cursor: 5 }, /cursor/],
    ];
    for (const [query, message] of wrong) await expect(flowrra.jobs.find(query)).rejects.toThrow(message);
    await expect(flowrra.jobs.find({ cursor: '!' })).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringContaining("cursor: '!' is no cursor"),
    });
    expect(await flowrra.jobs.get('no-such-job')).toBeNull();
    expect(await flowrra.jobs.retry('no-such-job')).toBe(false);
    expect(await flowrra.jobs.remove('no-such-job')).toBe(false);
  });

  it('shows a failed job with its arguments and errors, and runs it again with all its retries', async () => {
    const { flowrra, mixed, advance, seen } = await start();
    const id = await flowrra.submit(mixed.broken, { id: 17 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    const failed = await flowrra.jobs.get(id);
    expect(failed).toMatchObject({
      status: 'failed',
      args: [{ id: 17 }],
      retries: 1,
      errors: [
        { name: 'TypeError', attempt: 1 },
        { name: 'TypeError', attempt: 2 },
      ],
    });
    expect(JSON.parse(JSON.stringify(failed))).toMatchObject({
      taskId: id,
      queue: 'other',
      args: [{ id: 17 }],
    });
    mixed.attempts = 0;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    const again = flowrra.waitForResult(id);
    await advance(1_000);
    expect(await again).toMatchObject({ status: 'failed', retries: 1 });
    expect((await again).errors).toHaveLength(4);
    expect(mixed.attempts).toBe(2);
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'success',
      result: 'healed',
      error: null,
    });
    expect(await flowrra.jobs.retry(id)).toBe(false);
    expect(types(seen, id).filter((type) => type === 'redriven')).toHaveLength(2);
  });

  it('a job that runs again has made no progress yet, and its log goes on', async () => {
    const { flowrra, mixed, advance } = await start();
    const id = await flowrra.submit(mixed.halfway);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'failed', progress: 0.5 });
    await flowrra.queues.pause('default');
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await flowrra.jobs.get(id)).toMatchObject({
      status: 'pending',
      progress: null,
      retries: 0,
      startedAt: null,
      finishedAt: null,
    });
    await flowrra.queues.resume('default');
    await advance(1_000);
    await flowrra.waitForResult(id);
    expect((await flowrra.jobs.get(id))?.logs.map(({ line }) => line)).toEqual(['halfway', 'halfway']);
  });

  it('runs all failed jobs again that a filter fits', async () => {
    const { flowrra, mixed, advance } = await start();
    const broken = await flowrra.submitMany(mixed.broken, [[{ id: 1 }], [{ id: 2 }], [{ id: 3 }]]);
    const dead = await flowrra.submit(mixed.fatal);
    await advance(1_000);
    await Promise.all([...broken, dead].map((id) => flowrra.waitForResult(id)));
    mixed.healed = true;
    expect(await flowrra.jobs.retryAll({ task: 'Mixed.none' })).toBe(0);
    expect(await flowrra.jobs.retryAll({ queue: 'other' })).toBe(3);
    await advance(1_000);
    const results = await Promise.all(broken.map((id) => flowrra.waitForResult(id)));
    expect(results.map(({ result }) => result)).toEqual(['healed', 'healed', 'healed']);
    expect(await flowrra.getResult(dead)).toMatchObject({ status: 'failed' });
    expect(await flowrra.jobs.retryAll({ queue: 'other' })).toBe(0);
  });

  it('forgets a finished job on demand, and no other one', async () => {
    const { flowrra, mixed, advance } = await start({ numWorkers: 1 });
    const done = await flowrra.with({ taskId: 'own-id' }).submit(mixed.fine, 1);
    await flowrra.waitForResult(done);
    const cancelled = await flowrra.with({ delay: '1h' }).submit(mixed.fine, 2);
    await flowrra.cancel(cancelled);
    const running = await flowrra.submit(mixed.hold);
    await advance(1_000);
    const waiting = await flowrra.submit(mixed.fine, 3);
    const removed = await Promise.all(
      [done, cancelled, running, waiting].map((id) => flowrra.jobs.remove(id)),
    );
    expect(removed).toEqual([true, true, false, false]);
    expect([await flowrra.getResult(done), await flowrra.getResult(cancelled)]).toEqual([null, null]);
    expect(await flowrra.jobs.remove(done)).toBe(false);
    // Its id is free again.
    await flowrra.with({ taskId: 'own-id' }).submit(mixed.fine, 4);
    mixed.gate.open();
    await advance(1_000);
    expect(await flowrra.waitForResult('own-id')).toMatchObject({ result: 4 });
    expect(await flowrra.waitForResult(waiting)).toMatchObject({ result: 3 });
  });

  it('of a retry and a removal at once, one wins', async () => {
    const { flowrra, mixed, advance } = await start();
    const broken = await flowrra.submitMany(
      mixed.broken,
      Array.from({ length: 10 }, (_, id): [{ id: number }] => [{ id }]),
    );
    await advance(1_000);
    await Promise.all(broken.map((id) => flowrra.waitForResult(id)));
    mixed.healed = true;
    const answers = await Promise.all(
      broken.map((id, n) => {
        const calls = [() => flowrra.jobs.retry(id), () => flowrra.jobs.remove(id)];
        return Promise.all((n % 2 === 0 ? calls : calls.reverse()).map((call) => call()));
      }),
    );
    await advance(1_000);
    for (const [n, id] of broken.entries()) {
      const [first, second] = answers[n] as [boolean, boolean];
      const [retried, removed] = n % 2 === 0 ? [first, second] : [second, first];
      const result = await flowrra.getResult(id);
      if (retried && !removed) expect(result).toMatchObject({ status: 'success' });
      else expect(result).toBeNull();
      expect(retried || removed).toBe(true);
    }
  });

  it('a backend hears of a retry in order: the old failure is not taken for the new result', async () => {
    const backend = new InMemoryBackend({ resultTtl: '10000d' });
    const { flowrra, mixed, advance } = await start({ backend });
    const id = await flowrra.submit(mixed.broken, { id: 17 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    await flowrra.queues.pause('other');
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'pending' });
    const again = flowrra.waitForResult(id);
    await flowrra.queues.resume('other');
    await advance(1_000);
    expect(await again).toMatchObject({ status: 'success', result: 'healed' });
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
    expect(await flowrra.jobs.retry(id)).toBe(false);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
  });

  it('a job that is put back runs, though it has expired since', async () => {
    const { flowrra, mixed, advance } = await start();
    const id = await flowrra.with({ expires: '30s' }).submit(mixed.broken, { id: 17 });
    await advance(60_000);
    await flowrra.waitForResult(id);
    mixed.healed = true;
    expect(await flowrra.jobs.retry(id)).toBe(true);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success' });
  });

  it('a dead letter comes though the queue is full, and without what is too large for it', async () => {
    const { flowrra, mixed, advance } = await start({ maxPending: 2, whenFull: 'reject', numWorkers: 1 });
    const dying = await flowrra.with({ maxRetries: 0 }).submit(mixed.dies, { id: 1 });
    await advance(0);
    await flowrra.waitForResult(dying);
    await advance(1_000);
    expect(mixed.letters).toHaveLength(1);
    await flowrra.queues.pause('other');
    for (let n = 0; n < 2; n++) await flowrra.submit(mixed.broken, { id: n }).catch(() => undefined);
    const large = { id: 5, text: 'x'.repeat(1_048_000) };
    await flowrra.queues.resume('other');
    await advance(1_000);
    mixed.letters.length = 0;
    const largeId = await flowrra.with({ maxRetries: 0 }).submit(mixed.dies, large);
    await advance(1_000);
    await flowrra.waitForResult(largeId);
    await advance(1_000);
    expect(mixed.letters).toMatchObject([{ taskId: largeId, args: null }]);
  });

  it('dead letters that would go round in a circle are refused at the start', async () => {
    const options = { tasks: { 'Mixed.receive': { deadLetter: 'Mixed.fatal' } } };
    await expect(start(options)).rejects.toThrow(/deadLetter: .*Mixed\.receive.* is a circle/);
  });

  it('what has failed for good is sent to the dead-letter task', async () => {
    const { flowrra, mixed, advance, clock } = await start();
    const submittedAt = new Date(clock.now());
    const id = await flowrra.with({ metadata: { by: 'ada' } }).submit(mixed.dies, { id: 5 });
    await advance(1_000);
    await flowrra.waitForResult(id);
    await advance(1_000);
    expect(mixed.letters).toEqual([
      {
        taskId: id,
        taskName: 'Mixed.dies',
        queue: 'default',
        args: [{ id: 5 }],
        metadata: { by: 'ada' },
        submittedAt,
        errors: [
          expect.objectContaining({ attempt: 1, message: 'order 5 is lost', at: expect.any(Date) }),
          expect.objectContaining({ attempt: 2, message: 'order 5 is lost' }),
        ],
      },
    ]);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'failed' });
    // What fails to receive a letter gets none about that.
    await flowrra.submit(mixed.fatal);
    await advance(1_000);
    expect(mixed.letters.map(({ taskName }) => taskName)).toEqual(['Mixed.dies', 'Mixed.fatal']);
  });

  it('one of the application is for all its tasks, and has to exist', async () => {
    await expect(start({ deadLetter: 'Mixed.recieve' })).rejects.toThrow(/deadLetter: no task is called/);
    const { flowrra, mixed, advance } = await start({ deadLetter: 'Mixed.receive' });
    await flowrra.submit(mixed.broken, { id: 1 });
    await advance(1_000);
    await advance(1_000);
    expect(mixed.letters).toMatchObject([{ taskName: 'Mixed.broken' }]);
  });

  it('a batch takes options for each job, and none of it if one cannot be accepted', async () => {
    const bed = await start({ numWorkers: 1 });
    const { flowrra, mixed, advance } = bed;
    const ids = await flowrra
      .with({ priority: 5, delay: '1m' })
      .submitMany(mixed.fine, [
        [1],
        { args: [2], priority: 1, metadata: { n: 2 } },
        { args: [3], delay: 0, taskId: 'third' },
      ]);
    expect(ids[2]).toBe('third');
    await advance(1_000);
    expect(await flowrra.getResult('third')).toMatchObject({ status: 'success', result: 3 });
    expect(await flowrra.jobs.get(ids[1] as string)).toMatchObject({ priority: 1, metadata: { n: 2 } });
    expect(await flowrra.jobs.get(ids[0] as string)).toMatchObject({ priority: 5, status: 'pending' });
    const before = await flowrra.pendingCount();
    await expect(flowrra.submitMany(mixed.fine, [[1], { args: [2], priority: -1 }])).rejects.toThrow(
      /priority/,
    );
    await expect(flowrra.submitMany(mixed.fine, [[1], { args: [() => 2] } as never])).rejects.toThrow(/args/);
    expect(await flowrra.pendingCount()).toBe(before);
  });
}
