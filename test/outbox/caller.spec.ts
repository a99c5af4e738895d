import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Engine } from '../../lib/engine/engine.js';
import {
  FlowrraConfigError,
  type FlowrraEvent,
  InMemoryBackend,
  Task,
  TaskArgumentsError,
  TaskContext,
  TaskCtx,
  TaskTimeoutError,
} from '../../lib/index.js';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { Gate } from '../support/gate.js';
import { sqliteEngine } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { Recording, startContexts, stopContexts } from '../telemetry/open-telemetry.js';
import { guardedEngine } from '../support/guarded-engine.js';
import { type Bench, Benches, type BenchOptions } from './support/outbox-bench.js';

const HOUR = 3_600_000;
const tenant = new AsyncLocalStorage<string>();

@Injectable()
class Mail {
  readonly sent: string[] = [];
  readonly gate = new Gate();

  @Task()
  send(to: string): string {
    this.sent.push(to);
    return `sent to ${to}`;
  }

  @Task({ schema: z.tuple([z.string().email()]) })
  checked(to: string): string {
    this.sent.push(to);
    return to;
  }

  @Task({ queue: 'slow' })
  async hold(to: string): Promise<void> {
    this.sent.push(to);
    await this.gate.passed;
  }

  @Task({ expires: '1m' })
  urgent(to: string): void {
    this.sent.push(to);
  }

  @Task()
  where(@TaskCtx() ctx: TaskContext): unknown {
    return { tenant: tenant.getStore(), metadata: ctx.metadata };
  }
}

const ENGINES: readonly [string, () => Engine | string][] = [
  ['memory', () => 'memory:'],
  ['SQLite', () => sqliteEngine()],
];

describe.each(ENGINES)('before the engine %s, the caller sees', (_name, engine) => {
  const benches = new Benches();

  async function start(options: BenchOptions = {}): Promise<Bench & { mail: Mail; seen: FlowrraEvent[] }> {
    const bench = await benches.start({
      engine: engine(),
      queues: { slow: { concurrency: 1 } },
      ...options,
      metadata: { ...options.metadata, providers: [Mail] },
    });
    const seen: FlowrraEvent[] = [];
    bench.flowrra.events$.subscribe((event) => seen.push(event));
    return { ...bench, mail: bench.app.get(Mail), seen };
  }

  it('that arguments are checked at the submission', async () => {
    const { transaction, mail, rows } = await start();
    await transaction(async (within) => {
      await expect(within.submit(mail.checked, 'nowhere')).rejects.toThrow(TaskArgumentsError);
      await expect(within.submitMany(mail.checked, [['ada@example.com'], ['nowhere']])).rejects.toThrow(
        TaskArgumentsError,
      );
      await expect(within.submit(mail.send, (() => 'no data') as never)).rejects.toMatchObject({
        code: 'FLOWRRA_PAYLOAD',
      });
      expect(() => within.with({ priority: -1 })).toThrow(FlowrraConfigError);
      expect(() => within.submitSync(mail.checked, 'ada@example.com')).toThrow(/checked by pipes or schemas/);
    });
    expect(rows()).toEqual([]);
  });

  it('a pending job before the relay, and its result by a wait that begins before', async () => {
    const { transaction, flowrra, mail, rows } = await start();
    const taskId = await transaction((within) =>
      within.with({ tags: ['vip'], metadata: { n: 1 }, priority: 2 }).submit(mail.send, 'ada'),
    );
    expect(await flowrra.getResult(taskId)).toMatchObject({
      taskId,
      status: 'pending',
      taskName: 'Mail.send',
    });
    expect(await flowrra.jobs.get(taskId)).toMatchObject({
      status: 'pending',
      args: ['ada'],
      tags: ['vip'],
      metadata: { n: 1 },
      priority: 2,
    });
    const health = await flowrra.outbox.health();
    expect(health).toEqual({ oldestMs: expect.any(Number), stuck: 0 });
    const waiting = flowrra.waitForResult(taskId);
    expect(mail.sent).toEqual([]);
    expect(await flowrra.outbox.relay()).toBe(1);
    expect(await waiting).toMatchObject({ status: 'success', result: 'sent to ada' });
    expect(rows()).toEqual([]);
    expect(await flowrra.outbox.health()).toEqual({ oldestMs: null, stuck: 0 });
  });

  it('a wait that ends by its timeout or its signal', async () => {
    const { transaction, flowrra, mail } = await start();
    const taskId = await transaction((within) => within.submit(mail.send, 'ada'));
    const late = flowrra.waitForResult(taskId, { timeout: 1 });
    await expect(late).rejects.toThrow(TaskTimeoutError);
    await expect(late).rejects.toThrow(/still waits in the outbox/);
    const controller = new AbortController();
    const waiting = flowrra.waitForResult(taskId, { signal: controller.signal });
    controller.abort(new Error('the client has gone'));
    await expect(waiting).rejects.toThrow('the client has gone');
    await flowrra.outbox.relay();
    expect(await flowrra.waitForResult(taskId, { timeout: '1d' })).toMatchObject({ status: 'success' });
  });

  it('watch() begins with the pending job, and ends with its result', async () => {
    const { transaction, flowrra, mail } = await start();
    const taskId = await transaction((within) => within.submit(mail.send, 'ada'));
    const states: string[] = [];
    const ended = new Gate();
    flowrra.watch(taskId).subscribe({
      next: ({ status }) => {
        states.push(status);
        if (states.length === 1) void flowrra.outbox.relay().catch(ended.fail);
      },
      error: ended.fail,
      complete: ended.open,
    });
    await ended.passed;
    expect(states[0]).toBe('pending');
    expect(states.at(-1)).toBe('success');
  });

  it('the end of a job that is cancelled before the relay', async () => {
    const { transaction, flowrra, mail, seen, rows } = await start();
    const [unwanted, wanted] = await transaction(async (within) => [
      await within.submit(mail.send, 'unwanted'),
      await within.submit(mail.send, 'wanted'),
    ]);
    expect(await flowrra.cancel(unwanted as string, { reason: 'not needed' })).toBe(true);
    expect(await flowrra.getResult(unwanted as string)).toMatchObject({
      status: 'cancelled',
      error: 'not needed',
    });
    expect(await flowrra.jobs.get(unwanted as string)).toMatchObject({ status: 'cancelled' });
    const waiting = flowrra.waitForResult(unwanted as string);
    expect(await flowrra.outbox.relay()).toBe(2);
    expect(await waiting).toMatchObject({ status: 'cancelled', error: 'not needed' });
    await flowrra.waitForResult(wanted as string);
    expect(mail.sent).toEqual(['wanted']);
    expect(rows()).toEqual([]);
    expect(await flowrra.cancel(unwanted as string)).toBe(false);
    const types = seen.filter(({ taskId }) => taskId === unwanted).map(({ type }) => type);
    expect(types).toEqual(['submitted', 'cancelled']);
  });

  it('the end of a job that is cancelled while the relay submits it', async () => {
    const entered = new Gate();
    const gate = new Gate();
    const guarded = await guardedEngine(engine(), async () => {
      entered.open();
      await gate.passed;
    });
    const { transaction, flowrra, mail, rows } = await start({ engine: guarded });
    await flowrra.queues.pause('default');
    const taskId = await transaction((within) => within.submit(mail.send, 'unwanted'));
    const relayed = flowrra.outbox.relay();
    await entered.passed;
    expect(await flowrra.cancel(taskId, { reason: 'too late?' })).toBe(true);
    gate.open();
    await relayed;
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'cancelled', error: 'too late?' });
    expect(rows()).toEqual([]);
    await flowrra.queues.resume('default');
    expect(mail.sent).toEqual([]);
  });

  it('one job for submissions with the same key, by the id of each', async () => {
    const { transaction, flowrra, mail, seen, rows } = await start();
    await flowrra.queues.pause('default');
    const [first, second] = (await transaction(async (within) => {
      const keyed = within.with({ dedupe: { key: 'ada' } });
      return [await keyed.submit(mail.send, 'first'), await keyed.submit(mail.send, 'second')];
    })) as [string, string];
    expect(second).not.toBe(first);
    expect(seen).toEqual([]);
    expect(await flowrra.outbox.relay()).toBe(2);
    expect(seen.map(({ type, taskId }) => [type, taskId])).toEqual([
      ['submitted', first],
      ['deduplicated', first],
    ]);
    expect(rows()).toMatchObject([{ id: second, same_as: first, status: 'same' }]);
    expect(await flowrra.getResult(second)).toMatchObject({ taskId: first, status: 'pending' });
    expect(await flowrra.jobs.get(second)).toMatchObject({ taskId: first, args: ['first'] });
    const waiting = flowrra.waitForResult(second);
    await flowrra.queues.resume('default');
    expect(await waiting).toMatchObject({ taskId: first, status: 'success', result: 'sent to first' });
    expect(mail.sent).toEqual(['first']);
  });

  it('that a cancellation by the second id cancels the job', async () => {
    const { transaction, flowrra, mail } = await start();
    await flowrra.queues.pause('default');
    const [first, second] = (await transaction(async (within) => {
      const keyed = within.with({ dedupe: { key: 'ada' } });
      return [await keyed.submit(mail.send, 'first'), await keyed.submit(mail.send, 'second')];
    })) as [string, string];
    await flowrra.outbox.relay();
    expect(await flowrra.cancel(second, { reason: 'both' })).toBe(true);
    for (const taskId of [first, second])
      expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'cancelled', error: 'both' });
    expect(mail.sent).toEqual([]);
  });

  it('a delay that counts from the submission', async () => {
    const { transaction, flowrra, mail, sql } = await start();
    const [over, half] = (await transaction(async (within) => {
      const delayed = within.with({ delay: HOUR });
      return [await delayed.submit(mail.send, 'over'), await delayed.submit(mail.send, 'half')];
    })) as [string, string];
    const before = await flowrra.jobs.get(half);
    expect((before?.dueAt?.getTime() ?? 0) - (before?.submittedAt.getTime() ?? 0)).toBe(HOUR);
    sql('UPDATE flowrra_outbox SET created_at = created_at - ? WHERE id = ?', 2 * HOUR, over);
    sql('UPDATE flowrra_outbox SET created_at = created_at - ? WHERE id = ?', HOUR / 2, half);
    await flowrra.outbox.relay();
    expect(await flowrra.waitForResult(over)).toMatchObject({ status: 'success' });
    const job = await flowrra.jobs.get(half);
    const left = (job?.dueAt?.getTime() ?? 0) - (job?.submittedAt.getTime() ?? 0);
    expect(left).toBeLessThanOrEqual(HOUR / 2);
    expect(left).toBeGreaterThan(HOUR / 4);
    expect(mail.sent).toEqual(['over']);
  });

  it('a job that expires by its age in the outbox', async () => {
    const { transaction, flowrra, mail, sql } = await start();
    const [old, young] = (await transaction(async (within) => [
      await within.submit(mail.urgent, 'old'),
      await within.submit(mail.urgent, 'young'),
    ])) as [string, string];
    sql('UPDATE flowrra_outbox SET created_at = created_at - ? WHERE id = ?', HOUR, old);
    await flowrra.outbox.relay();
    const result = await flowrra.waitForResult(old);
    expect(result.status).not.toBe('success');
    expect(result.error).toMatch(/[Ee]xpired/);
    expect(await flowrra.waitForResult(young)).toMatchObject({ status: 'success' });
    expect(mail.sent).toEqual(['young']);
  });

  it.each(['wait', 'reject'] as const)(
    'at maxPending with whenFull %s, jobs that stay in the outbox until there is room',
    async (whenFull) => {
      const { transaction, flowrra, mail, rows } = await start({
        maxPending: 1,
        whenFull,
        outbox: { relay: true },
      });
      const names = ['a', 'b', 'c', 'd'];
      const ids = await transaction((within) =>
        within.submitMany(
          mail.hold,
          names.map((name): [string] => [name]),
        ),
      );
      await until(() => rows().length === 2, { describe: 'one job runs, and one waits in the engine' });
      expect(mail.sent).toEqual(['a']);
      expect(await flowrra.getResult(ids[3] as string)).toMatchObject({ status: 'pending' });
      mail.gate.open();
      await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
      expect([...mail.sent].sort()).toEqual(names);
    },
  );

  it('the context and the metadata of the submission in the task', async () => {
    const { transaction, flowrra, mail } = await start({
      context: {
        capture: () => tenant.getStore(),
        run: (captured, next) => tenant.run(String(captured), next),
      },
    });
    const taskId = await tenant.run('blue', () =>
      transaction((within) => within.with({ metadata: { by: 'ada' } }).submit(mail.where)),
    );
    await tenant.run('of the relay', () => flowrra.outbox.relay());
    expect((await flowrra.waitForResult(taskId)).result).toEqual({ tenant: 'blue', metadata: { by: 'ada' } });
  });

  it('one trace from the submission to the attempt', async () => {
    startContexts();
    const told = new Recording();
    try {
      const { tracerProvider } = told;
      const { transaction, flowrra, mail } = await start({
        metadata: { imports: [FlowrraTelemetryModule.forRoot({ tracerProvider })] },
      });
      const taskId = await transaction((within) => within.submit(mail.send, 'ada'));
      await flowrra.outbox.relay();
      await flowrra.waitForResult(taskId);
      await until(() => told.spans.some(({ name }) => name === 'flowrra run Mail.send'), {
        describe: 'the span of the attempt has ended',
      });
      const submitted = told.span('flowrra submit Mail.send').spanContext();
      const attempt = told.span('flowrra run Mail.send');
      expect(attempt.spanContext().traceId).toBe(submitted.traceId);
      expect(attempt.parentSpanContext?.spanId).toBe(submitted.spanId);
    } finally {
      stopContexts();
      await told.shutdown();
    }
  });

  it('the event submitted once, from the relay', async () => {
    const { transaction, flowrra, mail, seen } = await start();
    const taskId = await transaction((within) => within.submit(mail.send, 'ada'));
    expect(seen).toEqual([]);
    await flowrra.outbox.relay();
    await flowrra.waitForResult(taskId);
    await until(() => seen.some(({ type }) => type === 'succeeded'), { describe: 'the job has succeeded' });
    const types = seen.map(({ type }) => type);
    expect(types.filter((type) => type === 'submitted')).toHaveLength(1);
    expect(types).toContain('started');
  });

  it('the same with a configured backend', async () => {
    const backend = new InMemoryBackend();
    const { transaction, flowrra, mail } = await start({ backend });
    const [taskId, unwanted] = (await transaction(async (within) => [
      await within.submit(mail.send, 'ada'),
      await within.submit(mail.send, 'unwanted'),
    ])) as [string, string];
    expect(await backend.get(taskId)).toBeNull();
    expect(await flowrra.getResult(taskId)).toMatchObject({ status: 'pending' });
    expect(await flowrra.cancel(unwanted)).toBe(true);
    const waiting = flowrra.waitForResult(taskId);
    await flowrra.outbox.relay();
    expect(await waiting).toMatchObject({ status: 'success', result: 'sent to ada' });
    expect(await backend.get(taskId)).toMatchObject({ status: 'success' });
    expect(await flowrra.waitForResult(unwanted)).toMatchObject({ status: 'cancelled' });
    expect(await backend.get(unwanted)).toMatchObject({ status: 'cancelled' });
    expect(mail.sent).toEqual(['ada']);
  });

  it('jobs that were committed before a stop run after the next start', async () => {
    const { transaction, flowrra, mail, rows } = await start();
    const taskId = await transaction((within) => within.submit(mail.send, 'ada'));
    await flowrra.stop();
    await expect(flowrra.getResult(taskId)).rejects.toMatchObject({ code: 'FLOWRRA_NOT_RUNNING' });
    await flowrra.start();
    expect(rows()).toHaveLength(1);
    expect(await flowrra.outbox.relay()).toBe(1);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ result: 'sent to ada' });
  });

  it('with the option transaction, that a submission joins the transaction of the calling code', async () => {
    let current: object | undefined;
    const { db, transaction, flowrra, mail, rows } = await start({ outbox: { transaction: () => current } });
    const undone = transaction(async () => {
      current = db;
      await flowrra.submit(mail.send, 'undone');
      await flowrra.with({ priority: 1 }).submitMany(mail.send, [['undone too']]);
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    // The connection is in no transaction any more.
    const direct = await flowrra.submit(mail.send, 'at once');
    expect(await flowrra.waitForResult(direct)).toMatchObject({ status: 'success' });
    const joined = await transaction(() => flowrra.tasks(Mail).send('joined'));
    expect(rows()).toMatchObject([{ id: joined }]);
    await flowrra.outbox.relay();
    await flowrra.waitForResult(joined);
    expect(mail.sent).toEqual(['at once', 'joined']);
  });
});
