import { Injectable } from '@nestjs/common';
import { EngineError, FlowrraConfigError, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';
import { startApp } from '../support/app.js';
import { until } from '../support/until.js';
import { guardedEngine } from '../support/guarded-engine.js';
import { type Bench, Benches, type BenchOptions } from './support/outbox-bench.js';
import { withoutLogs } from './support/without-logs.js';

const logged = withoutLogs();
const benches = new Benches();

@Injectable()
class Mail {
  static readonly sent: string[] = [];
  @Task()
  send(to: string): string {
    Mail.sent.push(to);
    return `sent to ${to}`;
  }

  @Task({ maxRetries: 0 })
  hold(@TaskCtx() { signal }: TaskContext): Promise<void> {
    return new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
  }

  @Task({ maxRetries: 0 })
  async once(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.once({}, () => 1);
  }
}

beforeEach(() => {
  Mail.sent.length = 0;
});

async function start(options: BenchOptions = {}, file?: string): Promise<Bench & { mail: Mail }> {
  const bench = await benches.start({ ...options, metadata: { providers: [Mail] } }, file);
  return { ...bench, mail: bench.app.get(Mail) };
}

const submitTo = ({ transaction, mail }: Bench & { mail: Mail }, to: string): Promise<string> =>
  transaction((within) => within.submit(mail.send, to));

describe('a row that cannot be handed on', () => {
  /** Tries all waiting rows so often that they are parked. */
  async function tryFully({ flowrra, sql }: Bench): Promise<void> {
    for (let tries = 0; tries < 6; tries++) {
      sql('UPDATE flowrra_outbox SET due_at = 0');
      await flowrra.outbox.relay();
    }
  }

  it('is parked after five tries, logged once, and runs after retry()', async () => {
    let isRejected = true;
    const engine = await guardedEngine('memory:', async (jobs) => {
      if (isRejected && jobs.some(({ args }) => args[0] === 'bad'))
        throw new FlowrraConfigError('not this one');
    });
    const bench = await start({ engine });
    const { flowrra } = bench;
    const bad = await submitTo(bench, 'bad');
    const good = await submitTo(bench, 'good');
    await tryFully(bench);
    expect(await flowrra.waitForResult(good)).toMatchObject({ status: 'success' });
    expect(await flowrra.outbox.stuck()).toEqual([
      {
        taskId: bad,
        taskName: 'Mail.send',
        submittedAt: expect.any(Date),
        tries: 5,
        error: expect.stringContaining('not this one'),
      },
    ]);
    expect(await flowrra.outbox.health()).toEqual({ oldestMs: null, stuck: 1 });
    expect(logged.error).toEqual([expect.stringMatching(/in 5 tries.*not this one/)]);
    expect(await flowrra.getResult(bad)).toMatchObject({ status: 'pending' });

    expect(await flowrra.outbox.retry(good)).toBe(false);
    expect(await flowrra.outbox.retry(bad)).toBe(true);
    expect(await flowrra.outbox.retry(bad)).toBe(false);
    isRejected = false;
    expect(await flowrra.outbox.relay()).toBe(1);
    expect(await flowrra.waitForResult(bad)).toMatchObject({ status: 'success' });
    expect(Mail.sent).toEqual(['good', 'bad']);
  });

  it('and is unreadable is listed without a name, and never runs after remove()', async () => {
    const bench = await start();
    const { flowrra, sql, rows } = bench;
    const taskId = await submitTo(bench, 'ada');
    sql(`UPDATE flowrra_outbox SET job = '{"of": "a newer version"}'`);
    await expect(flowrra.getResult(taskId)).rejects.toMatchObject({ code: 'FLOWRRA_PAYLOAD' });
    expect(await flowrra.outbox.remove(taskId)).toBe(false);
    await tryFully(bench);
    expect(await flowrra.outbox.stuck()).toMatchObject([{ taskId, taskName: null, tries: 5 }]);
    expect(await flowrra.outbox.remove('no-such-job')).toBe(false);
    expect(await flowrra.outbox.remove(taskId)).toBe(true);
    expect(rows()).toEqual([]);
    expect(await flowrra.getResult(taskId)).toBeNull();
    expect(await flowrra.outbox.relay()).toBe(0);
    expect(Mail.sent).toEqual([]);
  });
});

describe('relays', () => {
  it('another application may relay, and the submitter sees the result', async () => {
    const file = tempFile();
    const storage = tempFile();
    const web = await start({ engine: sqliteEngine({ file: storage }), role: 'producer' }, file);
    const worker = await start({ engine: sqliteEngine({ file: storage }), outbox: { relay: true } }, file);
    const taskId = await submitTo(web, 'ada');
    expect(await web.flowrra.waitForResult(taskId)).toMatchObject({ result: 'sent to ada' });
    expect(web.rows()).toEqual([]);
    expect(worker.flowrra.isRunning).toBe(true);
  });

  it('of several applications share the work, and no job runs twice', async () => {
    const file = tempFile();
    const storage = tempFile();
    const all: (Bench & { mail: Mail })[] = [];
    const begun = new Gate();
    let batches = 0;
    for (let n = 0; n < 3; n++) {
      const engine = await guardedEngine(sqliteEngine({ file: storage }), async () => {
        if (++batches === 3) begun.open();
        await begun.passed;
      });
      // Small batches: a relay claims the next one ahead.
      all.push(await start({ engine, maxPending: 10 }, file));
    }
    const first = all[0] as Bench & { mail: Mail };
    // More than two relays claim at once: each has a batch of 20, and one of 500 ahead.
    const names = Array.from({ length: 1_200 }, (_, n) => `job ${n}`);
    const ids = await first.transaction((within) =>
      within.submitMany(
        first.mail.send,
        names.map((name): [string] => [name]),
      ),
    );
    const counts = await Promise.all(all.map(({ flowrra }) => flowrra.outbox.relay()));
    expect(counts.reduce((sum, count) => sum + count)).toBe(1_200);
    for (const count of counts) expect(count).toBeGreaterThan(0);
    await Promise.all(ids.map((taskId) => first.flowrra.waitForResult(taskId)));
    expect([...Mail.sent].sort()).toEqual([...names].sort());
  });

  it('take over the lease of a dead one when it is over', async () => {
    const bench = await start();
    const { flowrra, sql } = bench;
    const taskId = await submitTo(bench, 'ada');
    sql(`UPDATE flowrra_outbox SET claim = 'dead', due_at = due_at + 3600000`);
    expect(await flowrra.outbox.relay()).toBe(0);
    sql('UPDATE flowrra_outbox SET due_at = due_at - 3600000');
    expect(await flowrra.outbox.relay()).toBe(1);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success' });
  });

  it('submit a job again that the engine has already, and it runs once', async () => {
    const bench = await start();
    const { flowrra, db, rows } = bench;
    const taskId = await submitTo(bench, 'ada');
    const [row] = rows();
    await flowrra.outbox.relay();
    await flowrra.waitForResult(taskId);
    // As after a crash between the submission and the deletion of the row.
    const insert = 'INSERT INTO flowrra_outbox (id, task, job, created_at, due_at) VALUES (?, ?, ?, ?, 0)';
    db.prepare(insert).run(row?.id, row?.task, row?.job, row?.created_at);
    expect(await flowrra.outbox.relay()).toBe(1);
    expect(rows()).toEqual([]);
    expect(await flowrra.outbox.relay()).toBe(0);
    await flowrra.stop();
    expect(Mail.sent).toEqual(['ada']);
  });

  it('keep the jobs while the engine is away, and log that once', async () => {
    let isAway = true;
    const tried = new Gate();
    let tries = 0;
    const engine = await guardedEngine('memory:', async () => {
      if (!isAway) return;
      if (++tries === 3) tried.open();
      throw new EngineError('the server is away');
    });
    const bench = await start({ engine, outbox: { relay: true } });
    const { flowrra, rows } = bench;
    const ids = [await submitTo(bench, 'a'), await submitTo(bench, 'b')];
    await tried.passed;
    expect(rows()).toHaveLength(2);
    expect(await flowrra.getResult(ids[0] as string)).toMatchObject({ status: 'pending' });
    await expect(
      (async () => {
        bench.sql('UPDATE flowrra_outbox SET due_at = 0');
        await flowrra.outbox.relay();
        bench.sql('UPDATE flowrra_outbox SET due_at = 0');
        await flowrra.outbox.relay();
      })(),
    ).rejects.toThrow('the server is away');
    isAway = false;
    await Promise.all(ids.map((taskId) => flowrra.waitForResult(taskId)));
    expect([...Mail.sent].sort()).toEqual(['a', 'b']);
    expect(logged.warn).toEqual([expect.stringContaining('the server is away')]);
    expect(logged.error).toEqual([]);
  });

  it('keep the jobs while their table is away', async () => {
    const bench = await start({ outbox: { relay: true } });
    const { flowrra, db } = bench;
    const before = await submitTo(bench, 'before');
    await flowrra.waitForResult(before);
    db.exec('ALTER TABLE flowrra_outbox RENAME TO elsewhere');
    await until(() => logged.warn.length > 0, { describe: 'the relay has logged the outage' });
    await expect(flowrra.outbox.stuck()).rejects.toMatchObject({ code: 'FLOWRRA_OUTBOX' });
    db.exec('ALTER TABLE elsewhere RENAME TO flowrra_outbox');
    const after = await submitTo(bench, 'after');
    expect(await flowrra.waitForResult(after)).toMatchObject({ status: 'success' });
    expect(logged.warn).toHaveLength(1);
  });
});

describe('the start and the stop', () => {
  it('a stop does not wait for room in the engine, and the job runs after the next start', async () => {
    const bench = await start({
      maxPending: 1,
      outbox: { relay: true },
      queues: { default: { concurrency: 1 } },
    });
    const { flowrra, transaction, mail, rows } = bench;
    await transaction((within) => within.submitMany(mail.hold, [[], []]));
    const last = await submitTo(bench, 'last');
    await until(() => rows().some(({ id, claim }) => id === last && claim !== null), {
      describe: 'the relay waits for a place for the last job',
    });
    await flowrra.stop({ wait: false });
    expect(rows().map(({ id }) => id)).toContain(last);
    bench.sql('UPDATE flowrra_outbox SET due_at = 0');
    await flowrra.start();
    expect(await flowrra.waitForResult(last)).toMatchObject({ status: 'success' });
    expect(Mail.sent).toEqual(['last']);
  });

  it('a start that fails for the outbox closes the engine', async () => {
    let closed = 0;
    const engine = await guardedEngine(
      'memory:',
      async () => undefined,
      () => closed++,
    );
    await expect(start({ engine, outbox: { migrate: false } })).rejects.toThrow(/migrate is false/);
    expect(closed).toBe(1);
  });

  it('direct is rejected unless the engine is in the same database', async () => {
    await expect(start({ outbox: { direct: true } })).rejects.toThrow(/direct is true/);
  });

  it('without an outbox, its calls are rejected with the option to give', async () => {
    const { app, flowrra } = await startApp({}, { providers: [Mail] });
    const mail = app.get(Mail);
    await expect(flowrra.within({}).submit(mail.send, 'ada')).rejects.toThrow(
      /there is no outbox.*outbox\(\{ database/,
    );
    await expect(flowrra.outbox.stuck()).rejects.toThrow(/there is no outbox/);
    const result = await flowrra.waitForResult(await flowrra.submit(mail.once));
    expect(result.error).toMatch(/ctx\.once\(\): there is no outbox/);
    await app.close();
  });

  it.each([
    ['a pool of a server', {}],
    ['nothing', null],
    ['a promise', Promise.resolve()],
  ])('%s is no transaction of the outbox', async (_what, value) => {
    const { flowrra, mail } = await start();
    await expect(flowrra.within(value as object).submit(mail.send, 'ada')).rejects.toThrow(
      FlowrraConfigError,
    );
  });
});
