import type { PoolClient } from 'pg';
import { FlowrraConfigError } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import { DirectBed, Undo } from './support/direct-bed.js';

const bed = await DirectBed.open();
afterAll(() => bed.close());

/** The statements that the application runs on a connection. */
function counted(tx: PoolClient): string[] {
  const statements: string[] = [];
  const query = tx.query.bind(tx) as (...given: unknown[]) => unknown;
  Object.assign(tx, {
    query: (...given: unknown[]) => {
      statements.push(String(given[0]));
      return query(...given);
    },
  });
  return statements;
}

describe('a job in a transaction', () => {
  it('exists from the commit on, and costs one statement', async () => {
    const { flowrra, work } = await bed.start();
    const { taskId, statements } = await bed.transaction(async (tx) => {
      const statements = counted(tx);
      const taskId = await flowrra.within(tx).submit(work.note, 'a');
      Reflect.deleteProperty(tx, 'query');
      expect(await flowrra.getResult(taskId)).toBeNull();
      expect(await flowrra.jobs.get(taskId)).toBeNull();
      return { taskId, statements };
    });
    expect(statements).toEqual([expect.stringContaining('add_job')]);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success', result: 'ran a' });
    expect(work.ran).toEqual(['a']);
  });

  it('never exists after a rollback', async () => {
    const { flowrra, work, storage } = await bed.start();
    let taskId = '';
    const undone = bed.transaction(async (tx) => {
      taskId = await flowrra.within(tx).submit(work.note, 'a');
      await flowrra.within(tx).submitMany(
        work.note,
        Array.from({ length: 50 }, (_, n) => [`b${n}`]),
      );
      throw new Undo();
    });
    await expect(undone).rejects.toThrow(Undo);
    expect(await flowrra.getResult(taskId)).toBeNull();
    expect(await bed.rows(storage)).toEqual([]);
  });

  it('never exists after the rollback of its savepoint', async () => {
    const { flowrra, work } = await bed.start();
    const [before, inside, after] = await bed.transaction(async (tx) => {
      const before = await flowrra.within(tx).submit(work.note, 'before');
      await tx.query('SAVEPOINT s');
      const inside = await flowrra.within(tx).submit(work.note, 'inside');
      await tx.query('ROLLBACK TO SAVEPOINT s');
      return [before, inside, await flowrra.within(tx).submit(work.note, 'after')];
    });
    expect(await flowrra.getResult(inside as string)).toBeNull();
    for (const taskId of [before, after]) await flowrra.waitForResult(taskId as string);
    expect([...work.ran].sort()).toEqual(['after', 'before']);
  });

  it('is added once, though its id is given twice', async () => {
    const { flowrra, work, storage } = await bed.start();
    const submit = (tx: PoolClient) => flowrra.within(tx).with({ taskId: 'mine' }).submit(work.note, 'a');
    await bed.transaction(async (tx) => {
      expect([await submit(tx), await submit(tx)]).toEqual(['mine', 'mine']);
    });
    await flowrra.waitForResult('mine');
    await bed.transaction(submit);
    expect(work.ran).toEqual(['a']);
    expect(await bed.rows(storage)).toHaveLength(1);
  });

  it.each(['commit', 'rollback'] as const)(
    'of an id that another transaction has added waits for its %s, and is one job',
    async (end) => {
      const { flowrra, work, storage } = await bed.start();
      const submit = (tx: PoolClient, name: string) =>
        flowrra.within(tx).with({ taskId: 'mine' }).submit(work.note, name);
      const done = new Gate();
      const added = new Gate();
      const first = bed.transaction(async (tx) => {
        await submit(tx, 'first');
        added.open();
        await done.passed;
        if (end === 'rollback') throw new Undo();
      });
      first.catch(() => undefined);
      await added.passed;
      let pid = 0;
      const second = bed.transaction(async (tx) => {
        const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        pid = rows[0]?.pid as number;
        return submit(tx, 'second');
      });
      const isBlocked = async (): Promise<boolean> => {
        const { rows } = await bed.pool.query<{ found: boolean }>(
          `SELECT cardinality(pg_blocking_pids($1)) > 0 AS found`,
          [pid],
        );
        return rows[0]?.found === true;
      };
      await until(isBlocked, { describe: 'the second transaction waits' });
      done.open();
      await first.catch(() => undefined);
      expect(await second).toBe('mine');
      await flowrra.waitForResult('mine');
      expect(work.ran).toEqual([end === 'commit' ? 'first' : 'second']);
      expect(await bed.rows(storage)).toHaveLength(1);
    },
  );

  it.each(['REPEATABLE READ', 'SERIALIZABLE'])('with isolation %s: 100 at the same time', async (level) => {
    const { flowrra, work } = await bed.start();
    const one = async (n: number): Promise<string> => {
      for (;;) {
        try {
          return await bed.transaction(
            (tx) => flowrra.within(tx).submit(work.note, `${n}`),
            `BEGIN ISOLATION LEVEL ${level}`,
          );
        } catch (error) {
          // An application tries a transaction again that PostgreSQL could not serialize.
          if ((error as { code?: unknown }).code !== '40001') throw error;
        }
      }
    };
    const taskIds = await Promise.all(Array.from({ length: 100 }, (_, n) => one(n)));
    await Promise.all(taskIds.map((taskId) => flowrra.waitForResult(taskId)));
    expect([...work.ran].sort()).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`).sort());
  });

  it('has an id that leads to its queue', async () => {
    const { flowrra, work } = await bed.start({ queues: { side: {} } });
    flowrra.register({ name: 'aside', queue: 'side' }, () => 1);
    const ids = await bed.transaction(async (tx) => [
      await flowrra.within(tx).submit(work.note, 'a'),
      await flowrra.within(tx).submit('aside'),
    ]);
    expect(ids).toEqual([expect.stringMatching(/^b.*\.default$/), expect.stringMatching(/^b.*\.side$/)]);
    expect(new Set(ids).size).toBe(2);
  });

  it('is submitted by the transaction of the calling code', async () => {
    let current: PoolClient | null = null;
    const { outbox } = await import('../../lib/outbox/index.js');
    const { flowrra, work } = await bed.start({
      outbox: outbox({ database: bed.pool, direct: true, transaction: () => current }),
    });
    let lost = '';
    const undone = bed.transaction(async (tx) => {
      current = tx;
      lost = await flowrra.submit(work.note, 'lost').finally(() => (current = null));
      throw new Undo();
    });
    await expect(undone).rejects.toThrow(Undo);
    expect(await flowrra.getResult(lost)).toBeNull();
    expect((await flowrra.waitForResult(await flowrra.submit(work.note, 'kept'))).status).toBe('success');
    expect(work.ran).toEqual(['kept']);
  });

  it('can have no dedupe key, and has left the transaction usable', async () => {
    const { flowrra, work } = await bed.start();
    const taskId = await bed.transaction(async (tx) => {
      const rejected = flowrra
        .within(tx)
        .with({ dedupe: { key: 'k' } })
        .submit(work.note, 'a');
      await expect(rejected).rejects.toThrow(FlowrraConfigError);
      await expect(rejected).rejects.toThrow(/dedupe.*'Work\.note'.*lock.*until the commit.*taskId/);
      return flowrra.within(tx).submit(work.note, 'b');
    });
    await flowrra.waitForResult(taskId);
    expect(work.ran).toEqual(['b']);
  });

  it('emits no event of its submission, and those of its execution', async () => {
    const { flowrra, work } = await bed.start();
    const types: string[] = [];
    flowrra.events$.subscribe(({ type }) => types.push(type));
    const taskId = await bed.transaction((tx) => flowrra.within(tx).submit(work.note, 'a'));
    await flowrra.waitForResult(taskId);
    expect(types).toEqual(['started', 'succeeded']);
  });

  it('is added again under an id whose result has been dropped', async () => {
    const { flowrra, work } = await bed.start({ resultTtl: 1 });
    for (const name of ['first', 'second']) {
      await bed.transaction((tx) => flowrra.within(tx).with({ taskId: 'mine' }).submit(work.note, name));
      await until(() => work.ran.includes(name), { describe: `${name} runs` });
      await until(async () => (await flowrra.jobs.get('mine')) === null, { describe: 'it is dropped' });
    }
    expect(work.ran).toEqual(['first', 'second']);
  });
});

it('a producer adds jobs that a worker runs', async () => {
  const worker = await bed.start();
  const producer = await bed.start({ role: 'producer' }, { prefix: worker.storage });
  const taskId = await bed.transaction((tx) => producer.flowrra.within(tx).submit(producer.work.note, 'a'));
  expect(await producer.flowrra.waitForResult(taskId)).toMatchObject({ result: 'ran a' });
  expect(worker.work.ran).toEqual(['a']);
  expect(producer.work.ran).toEqual([]);
});

it('submitMany adds 1,000 jobs by one statement, all or none', async () => {
  const { flowrra, work, storage } = await bed.start({ role: 'producer' });
  const jobs = Array.from({ length: 1_000 }, (_, n): [string] => [`${n}`]);
  const ids = await bed.transaction(async (tx) => {
    const statements = counted(tx);
    const ids = await flowrra.within(tx).submitMany(work.note, jobs);
    Reflect.deleteProperty(tx, 'query');
    expect(statements).toEqual([expect.stringContaining('add_jobs_bulk')]);
    // Again in the same transaction: `add_jobs_bulk` has left its temporary tables.
    return [...ids, ...(await flowrra.within(tx).submitMany(work.note, jobs.slice(0, 30)))];
  });
  const rows = await bed.rows(storage);
  expect(rows.map(({ id }) => id)).toEqual(ids);
  expect(rows.slice(0, 1_000).map(({ data }) => data)).toEqual(jobs.map((args) => ({ args })));
});

it('more jobs than one statement takes are added by several', async () => {
  const { flowrra, work } = await bed.start({ role: 'producer' });
  const jobs = Array.from({ length: 2_001 }, (_, n): [string] => [`${n}`]);
  const ids = await bed.transaction((tx) => flowrra.within(tx).submitMany(work.note, jobs));
  expect(new Set(ids).size).toBe(2_001);
  expect(await flowrra.pendingCount()).toBe(2_001);
});

it('submitMany without jobs adds none', async () => {
  const { flowrra, work } = await bed.start({ role: 'producer' });
  expect(await bed.transaction((tx) => flowrra.within(tx).submitMany(work.note, []))).toEqual([]);
});
