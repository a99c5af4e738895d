import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import {
  EngineError,
  ExecutorNotRunningError,
  FlowrraConfigError,
  OutboxError,
  QueueFullError,
  ResultNotFoundError,
} from '../../../lib/job/errors.js';
import type { IdentifiedJob } from '../../../lib/outbox/outbox-job.js';
import type { OutboxTable } from '../../../lib/outbox/outbox-table.js';
import { Relay } from '../../../lib/outbox/relay.js';
import { WakeUps } from '../../../lib/outbox/wake-ups.js';
import { Gate } from '../../support/gate.js';
import { ManualClock } from '../../support/manual-clock.js';
import { FakeTable } from '../support/fake-table.js';

const logged = { log: [] as string[], warn: [] as string[], error: [] as string[] };
beforeEach(() => {
  for (const level of ['log', 'warn', 'error'] as const) {
    logged[level].length = 0;
    jest.spyOn(Logger.prototype, level).mockImplementation((line) => void logged[level].push(String(line)));
  }
});
afterEach(() => jest.restoreAllMocks());

interface SetUp {
  readonly maxBatch?: number;
  readonly table?: FakeTable;
  readonly clock?: ManualClock;
}

/** A relay over a table and an engine that the test steers. */
function setUp({ maxBatch = Infinity, clock = new ManualClock(), table = new FakeTable(clock) }: SetUp = {}) {
  const wakeUps = new WakeUps(clock);
  const batches: IdentifiedJob[][] = [];
  const cancelled: [string, string][] = [];
  const engine = {
    /** Throws if the engine takes none of the jobs. */
    admit: (_jobs: number): void => undefined,
    /** Returns the id of the job that stands for a job, or throws. */
    accept: async (job: IdentifiedJob): Promise<string> => job.taskId,
    cancel: async (_taskId: string): Promise<void> => undefined,
  };
  const relay = new Relay({
    table: table as unknown as OutboxTable,
    wakeUps,
    clock,
    maxBatch,
    async submit(jobs) {
      batches.push([...jobs]);
      engine.admit(jobs.length);
      const ids: string[] = [];
      for (const job of jobs) ids.push(await engine.accept(job));
      return ids;
    },
    async cancel(taskId, reason) {
      cancelled.push([taskId, reason]);
      await engine.cancel(taskId);
    },
  });
  const ids = (): string[][] => batches.map((jobs) => jobs.map(({ taskId }) => taskId));
  const add = (count: number, from = 0): void => {
    for (let n = from; n < from + count; n++) table.add(`j${n}`);
  };
  return { clock, table, wakeUps, relay, engine, batches, cancelled, ids, add };
}

describe('relayAll', () => {
  it('hands on all jobs in their order, deletes their rows, and returns their number', async () => {
    const { relay, table, ids, add } = setUp();
    add(45);
    expect(await relay.relayAll()).toBe(45);
    expect(table.rows).toEqual([]);
    // The first batch is small: how large jobs are is not known.
    expect(ids().map(({ length }) => length)).toEqual([20, 25]);
    expect(ids().flat()).toEqual(Array.from({ length: 45 }, (_, n) => `j${n}`));
    expect(await relay.relayAll()).toBe(0);
  });

  it('has no more jobs in a batch than the engine takes', async () => {
    const { relay, ids, add } = setUp({ maxBatch: 3 });
    add(7);
    await relay.relayAll();
    expect(ids().map(({ length }) => length)).toEqual([3, 3, 1]);
  });

  it('has few jobs in a batch if they are large', async () => {
    const { relay, table, ids } = setUp();
    for (let n = 0; n < 30; n++) table.add(`j${n}`, { args: ['x'.repeat(1_000_000)] });
    await relay.relayAll();
    expect(ids().map(({ length }) => length)).toEqual([20, 3, 3, 3, 1]);
  });

  it('leaves the row of a job for which another one stands', async () => {
    const { relay, table, engine } = setUp();
    table.add('first');
    table.add('second');
    engine.accept = async ({ taskId }) => (taskId === 'second' ? 'first' : taskId);
    expect(await relay.relayAll()).toBe(2);
    expect(table.rows).toMatchObject([{ id: 'second', due: null, sameAs: 'first' }]);
    expect(await relay.relayAll()).toBe(0);
  });

  it('of the same relay, batches come one after the other', async () => {
    const { relay, engine, batches, add } = setUp({ maxBatch: 1 });
    add(2);
    const gate = new Gate();
    let running = 0;
    let most = 0;
    engine.accept = async ({ taskId }) => {
      most = Math.max(most, ++running);
      await gate.passed;
      running--;
      return taskId;
    };
    const both = [relay.relayAll(), relay.relayAll()];
    gate.open();
    await Promise.all(both);
    expect(batches).toHaveLength(2);
    expect(most).toBe(1);
  });

  it('rejects with the error of an engine that is away, and the jobs stay', async () => {
    const { relay, table, engine, clock, add } = setUp();
    add(2);
    engine.accept = () => Promise.reject(new EngineError('away'));
    await expect(relay.relayAll()).rejects.toThrow('away');
    expect(table.rows).toMatchObject([
      { tries: 0, claim: null, due: clock.now() + 250 },
      { tries: 0, claim: null, due: clock.now() + 250 },
    ]);
  });

  it('counts only jobs that the engine has', async () => {
    const { relay, table, engine, add } = setUp();
    add(3);
    table.add('unreadable', {}, '{}');
    engine.accept = async ({ taskId }) => {
      if (taskId === 'j1') throw new FlowrraConfigError('not this one');
      return taskId;
    };
    expect(await relay.relayAll()).toBe(2);
    expect(table.rows.map(({ id }) => id)).toEqual(['j1', 'unreadable']);
  });
});

describe('a job that cannot be handed on', () => {
  it('is tried five times in growing intervals, parked, and logged once', async () => {
    const { relay, table, engine, clock, ids } = setUp();
    table.add('bad');
    const begun = clock.now();
    const tried: number[] = [];
    engine.accept = () => {
      tried.push(clock.now() - begun);
      return Promise.reject(new FlowrraConfigError('dedupe is impossible here'));
    };
    relay.start();
    await clock.advance(20_000);
    expect(tried).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
    expect(table.row('bad')).toMatchObject({ due: null, tries: 5, claim: null });
    expect(table.row('bad')?.error).toContain('dedupe is impossible here');
    await clock.advance(60_000);
    expect(ids()).toHaveLength(5);
    expect(logged.error).toHaveLength(1);
    expect(logged.error[0]).toMatch(/bad could not be handed .* in 5 tries.*dedupe is impossible here/);
    expect(logged.warn).toEqual([]);
    await relay.stop();
  });

  it('does not keep the others of its batch', async () => {
    const { relay, table, engine, ids, add } = setUp();
    add(4);
    engine.accept = async ({ taskId }) => {
      if (taskId === 'j2') throw new FlowrraConfigError('not this one');
      return taskId;
    };
    await relay.relayAll();
    expect(table.rows).toMatchObject([{ id: 'j2', tries: 1 }]);
    expect(ids()).toEqual([['j0', 'j1', 'j2', 'j3'], ['j0'], ['j1'], ['j2'], ['j3']]);
  });

  it('and whose text is unreadable never reaches the engine', async () => {
    const { relay, table, ids, add } = setUp();
    table.add('unreadable', {}, 'no text of a job');
    add(1);
    await relay.relayAll();
    expect(ids()).toEqual([['j0']]);
    expect(table.rows).toMatchObject([{ id: 'unreadable', tries: 1 }]);
  });
});

describe('a cancelled job', () => {
  it('is submitted so that it does not start, and is cancelled in the engine', async () => {
    const { relay, table, batches, cancelled, ids, add } = setUp();
    table.add('unwanted', { dedupe: { key: 'task/k', mode: 'ignore', ttl: 0 } });
    await table.cancel('unwanted', 'enough');
    add(1);
    expect(await relay.relayAll()).toBe(2);
    expect(ids()).toEqual([['unwanted'], ['j0']]);
    expect(batches[0]).toMatchObject([{ delay: 3_600_000, dedupe: undefined, bypassMaxPending: true }]);
    expect(cancelled).toEqual([['unwanted', 'enough']]);
    expect(table.rows).toEqual([]);
  });

  it('that has ended meanwhile, and is unknown, is done', async () => {
    const { relay, table, engine } = setUp();
    table.add('unwanted');
    await table.cancel('unwanted', 'enough');
    engine.cancel = () => Promise.reject(new ResultNotFoundError('gone'));
    expect(await relay.relayAll()).toBe(1);
    expect(table.rows).toEqual([]);
  });

  it('while its batch is being submitted keeps its row, and is cancelled by the next batch', async () => {
    const { relay, table, engine, cancelled, ids } = setUp();
    table.add('unwanted');
    engine.accept = async ({ taskId }) => {
      if (ids().length === 1) await table.cancel(taskId, 'enough');
      return taskId;
    };
    await relay.relayAll();
    expect(ids()).toEqual([['unwanted'], ['unwanted']]);
    expect(cancelled).toEqual([['unwanted', 'enough']]);
    expect(table.rows).toEqual([]);
  });

  it.each([0, 4])('while its try fails keeps its row, and is cancelled: after %d tries', async (tries) => {
    const { relay, table, engine, clock, cancelled, ids } = setUp();
    table.add('unwanted');
    Object.assign(table.rows[0]!, { tries });
    engine.accept = async ({ taskId }) => {
      if (ids().length > 1) return taskId;
      await table.cancel(taskId, 'enough');
      throw new FlowrraConfigError('not this one');
    };
    await relay.relayAll();
    await clock.advance(30_000);
    await relay.relayAll();
    expect(cancelled).toEqual([['unwanted', 'enough']]);
    expect(table.rows).toEqual([]);
  });

  it('that the engine rejects is parked', async () => {
    const { relay, table, engine, clock } = setUp();
    table.add('unwanted');
    await table.cancel('unwanted', 'enough');
    engine.accept = () => Promise.reject(new FlowrraConfigError('not this one'));
    for (let tries = 0; tries < 6; tries++) {
      await relay.relayAll();
      await clock.advance(60_000);
    }
    expect(table.rows).toMatchObject([{ id: 'unwanted', tries: 5, due: null }]);
  });

  it('while another job takes its key keeps its row, and is cancelled by the next batch', async () => {
    const { relay, table, engine, cancelled, ids } = setUp();
    table.add('unwanted');
    engine.accept = async ({ taskId }) => {
      if (ids().length > 1) return taskId;
      await table.cancel(taskId, 'enough');
      return 'other';
    };
    await relay.relayAll();
    expect(cancelled).toEqual([['unwanted', 'enough']]);
    expect(table.rows).toEqual([]);
  });

  it('stays if the engine is away', async () => {
    const { relay, table, engine } = setUp();
    table.add('unwanted');
    await table.cancel('unwanted', 'enough');
    engine.cancel = () => Promise.reject(new EngineError('away'));
    await expect(relay.relayAll()).rejects.toThrow('away');
    expect(table.rows).toMatchObject([{ id: 'unwanted', cancelReason: 'enough', tries: 0, claim: null }]);
  });
});

describe('the loop', () => {
  it('looks once a second, and at once when it is woken', async () => {
    const { relay, table, wakeUps, clock, add } = setUp();
    relay.start();
    await clock.advance(10_500);
    expect(table.claims).toBe(11);
    add(1);
    wakeUps.now();
    await clock.advance(0);
    expect(table.rows).toEqual([]);
    await relay.stop();
    expect(clock.armed).toBe(0);
  });

  it('goes on without a pause while there are jobs', async () => {
    const { relay, table, clock, add } = setUp({ maxBatch: 1 });
    add(5);
    relay.start();
    await clock.advance(0);
    expect(table.rows).toEqual([]);
    await relay.stop();
  });

  it('of an engine that is away, it tries ever less often up to 5 seconds, and logs once', async () => {
    const { relay, engine, clock, batches, add } = setUp();
    add(1);
    let isAway = true;
    engine.accept = async ({ taskId }) => {
      if (isAway) throw new EngineError('the server is away');
      return taskId;
    };
    relay.start();
    await clock.advance(60_000);
    // At 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s, then every 5 s, at the next look.
    expect(batches.length).toBeGreaterThan(10);
    expect(batches.length).toBeLessThan(18);
    expect(logged.warn).toEqual([expect.stringContaining('the server is away')]);
    isAway = false;
    await clock.advance(6_000);
    expect(logged.log).toEqual(['The outbox hands on jobs again.']);
    isAway = true;
    add(1, 1);
    await clock.advance(2_000);
    expect(logged.warn).toHaveLength(2);
    await relay.stop();
  });

  it('of a database that is away, it logs once, and notices its return without a job', async () => {
    const { relay, table, clock } = setUp();
    table.isAway = true;
    relay.start();
    await clock.advance(60_000);
    expect(logged.warn).toEqual([expect.stringContaining('The database is away.')]);
    table.isAway = false;
    await clock.advance(5_000);
    expect(logged.log).toEqual(['The outbox hands on jobs again.']);
    table.isAway = true;
    await clock.advance(2_000);
    expect(logged.warn).toHaveLength(2);
    await relay.stop();
  });

  it('of a full queue it logs nothing, and hands on one job when one has room', async () => {
    const { relay, table, engine, clock, add } = setUp();
    add(3);
    let room = 0;
    engine.admit = (jobs) => {
      if (jobs > room) throw new QueueFullError('full');
      room -= jobs;
    };
    relay.start();
    await clock.advance(20_000);
    expect(table.rows).toHaveLength(3);
    room = 2;
    await clock.advance(6_000);
    expect(table.rows).toHaveLength(1);
    expect(logged).toEqual({ log: [], warn: [], error: [] });
    await relay.stop();
  });

  it('after a full queue, an engine that is away is logged', async () => {
    const { relay, engine, clock, add } = setUp();
    add(1);
    let error: Error = new QueueFullError('full');
    engine.accept = () => Promise.reject(error);
    relay.start();
    await clock.advance(2_000);
    error = new EngineError('away');
    await clock.advance(6_000);
    expect(logged.warn).toHaveLength(1);
    await relay.stop();
  });

  it('a stop waits for the batch, starts no other one, and can be followed by a start', async () => {
    const { relay, table, engine, clock, ids, add } = setUp({ maxBatch: 1 });
    add(2);
    const gate = new Gate();
    engine.accept = async ({ taskId }) => {
      await gate.passed;
      return taskId;
    };
    relay.start();
    await clock.advance(0);
    let isStopped = false;
    const stopped = relay.stop().then(() => (isStopped = true));
    await clock.advance(5_000);
    expect(isStopped).toBe(false);
    gate.open();
    await stopped;
    expect(ids()).toEqual([['j0']]);
    relay.start();
    await clock.advance(0);
    expect(table.rows).toEqual([]);
    await relay.stop();
    expect(clock.armed).toBe(0);
  });

  it('a stop during a failing batch logs nothing', async () => {
    const { relay, engine, clock, add } = setUp();
    add(1);
    const gate = new Gate<string>();
    engine.accept = () => gate.passed;
    relay.start();
    await clock.advance(0);
    const stopped = relay.stop();
    gate.fail(new ExecutorNotRunningError('stopped'));
    await stopped;
    expect(logged.warn).toEqual([]);
  });
});

describe('a claim', () => {
  it('is renewed while the engine takes its time, so that no other relay takes the jobs', async () => {
    const { relay, table, engine, clock, add } = setUp();
    const other = setUp({ clock, table });
    add(2);
    const gate = new Gate();
    engine.accept = async ({ taskId }) => {
      await gate.passed;
      return taskId;
    };
    const relayed = relay.relayAll();
    await clock.advance(100_000);
    expect(table.renewals).toBe(10);
    expect(await other.relay.relayAll()).toBe(0);
    gate.open();
    expect(await relayed).toBe(2);
    await clock.advance(30_000);
    expect(table.renewals).toBe(10);
    expect(clock.armed).toBe(0);
  });

  it('of a relay that has died ends, and another relay takes over', async () => {
    const clock = new ManualClock();
    const table = new FakeTable(clock);
    const { relay, add, ids } = setUp({ clock, table });
    add(1);
    await table.claim('a relay that has died', 30_000, 10);
    expect(await relay.relayAll()).toBe(0);
    await clock.advance(30_000);
    expect(await relay.relayAll()).toBe(1);
    expect(ids()).toEqual([['j0']]);
  });

  it('is shared by no two relays', async () => {
    const clock = new ManualClock();
    const table = new FakeTable(clock);
    const relays = [1, 2, 3].map(() => setUp({ clock, table, maxBatch: 2 }));
    relays[0]?.add(20);
    await Promise.all(relays.map(({ relay }) => relay.relayAll()));
    const all = relays.flatMap(({ ids }) => ids().flat());
    expect(all).toHaveLength(20);
    expect(new Set(all).size).toBe(20);
    for (const { batches } of relays) expect(batches.length).toBeGreaterThan(0);
  });

  it('if the rows of a batch cannot be deleted, those of the next one are', async () => {
    const { relay, table, engine, clock, ids, add } = setUp({ maxBatch: 1 });
    add(2);
    const remove = table.remove.bind(table);
    table.remove = async (rows) => {
      if (rows.some(({ seq }) => seq === 1) && ids().length === 1) throw new OutboxError('not now');
      await remove(rows);
    };
    engine.accept = async ({ taskId }) => taskId;
    await expect(relay.relayAll()).rejects.toThrow('not now');
    expect(table.rows.map(({ id }) => id)).toEqual(['j0']);
    await clock.advance(30_000);
    expect(await relay.relayAll()).toBe(1);
    expect(ids()).toEqual([['j0'], ['j1'], ['j0']]);
  });

  it('if the rows cannot be deleted after the submission, the same jobs are submitted again', async () => {
    const { relay, table, engine, clock, ids, add } = setUp();
    add(1);
    engine.accept = async ({ taskId }) => {
      table.isAway = ids().length === 1;
      return taskId;
    };
    await expect(relay.relayAll()).rejects.toThrow('The database is away.');
    table.isAway = false;
    await clock.advance(30_000);
    expect(await relay.relayAll()).toBe(1);
    expect(ids()).toEqual([['j0'], ['j0']]);
    expect(table.rows).toEqual([]);
  });
});
