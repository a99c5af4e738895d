import { Injectable, type INestApplicationContext } from '@nestjs/common';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type FlowrraService, ResultNotFoundError, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { outbox, type OutboxOptions } from '../../lib/outbox/index.js';
import { startServices } from '../../scripts/services/services.mjs';
import { startApp } from '../support/app.js';
import { ownDatabase } from './support/own-database.js';

/** A connection in a transaction. */
interface Transaction {
  query(sql: string): Promise<unknown>;
  release(): void;
}

interface Pool {
  readonly database: object;
  begin(): Promise<Transaction>;
  end(): Promise<void>;
}

@Injectable()
class Work {
  transaction: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T> = () => Promise.reject(new Error());

  @Task({ maxRetries: 0 })
  echo(text: string): string {
    return text;
  }

  @Task({ maxRetries: 0 })
  blocks(names: string[], @TaskCtx() ctx: TaskContext): Promise<string[]> {
    return this.transaction(async (tx) => {
      const results: string[] = [];
      for (const name of names) results.push(await ctx.once(tx, () => `of '${name}'`, { name }));
      return results;
    });
  }
}

function pgPool(url: string): Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  return {
    database: pool,
    async begin() {
      const client = await pool.connect();
      await client.query('BEGIN');
      return client;
    },
    end: () => pool.end(),
  };
}

function mysqlPool(url: string): Pool {
  const pool = mysql.createPool({ uri: url, connectionLimit: 8 });
  return {
    database: pool,
    async begin() {
      const connection = await pool.getConnection();
      await connection.query('START TRANSACTION');
      return connection;
    },
    end: () => pool.end(),
  };
}

let services: Awaited<ReturnType<typeof startServices>>;

beforeAll(async () => {
  services = await startServices({ redis: false, mariadb: true });
});

afterAll(async () => services.stop());

describe.each([
  ['PostgreSQL', 'postgres', pgPool],
  ['MariaDB', 'mysql', mysqlPool],
] as const)('an outbox in %s', (_name, dialect, poolOf) => {
  let pool: Pool;
  let app: INestApplicationContext;
  let flowrra: FlowrraService;
  let work: Work;
  let close: () => Promise<void>;

  async function start(options: Partial<OutboxOptions> = {}): Promise<void> {
    const own = await ownDatabase(
      dialect,
      dialect === 'postgres' ? services.postgresUrl : services.mariadbUrl,
    );
    pool = poolOf(own.url);
    if (options.schema !== undefined)
      await inTransaction((tx) => tx.query(`CREATE SCHEMA ${options.schema}`));
    const started = await startApp(
      { engine: 'memory:', outbox: outbox({ database: pool.database, relay: false, ...options }) },
      { providers: [Work] },
    );
    ({ app, flowrra } = started);
    work = app.get(Work);
    work.transaction = inTransaction;
    close = async () => {
      await flowrra.stop({ wait: false });
      await app.close();
      await pool.end();
      await own.remove();
    };
  }

  async function inTransaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    const tx = await pool.begin();
    try {
      const result = await fn(tx);
      await tx.query('COMMIT');
      return result;
    } finally {
      tx.release();
    }
  }

  const resultOf = async (taskId: string): Promise<unknown> => (await flowrra.waitForResult(taskId)).result;
  const echo = (): Work['echo'] => work.echo;

  afterEach(() => close());

  it('relays while another transaction with a submission is open', async () => {
    await start();
    const open = await pool.begin();
    const uncommitted = await flowrra.within(open).submit(echo(), 'open');
    for (const count of [1, 5, 40]) {
      const texts = Array.from({ length: count }, (_, index) => [`job ${index}`] as [string]);
      await inTransaction((tx) => flowrra.within(tx).submitMany(echo(), texts));
      expect(await flowrra.outbox.relay()).toBe(count);
      await flowrra.within(open).submit(echo(), 'open too');
    }
    await expect(flowrra.cancel(uncommitted)).rejects.toThrow(ResultNotFoundError);
    await open.query('COMMIT');
    open.release();
    expect(await flowrra.outbox.relay()).toBe(4);
    expect(await resultOf(uncommitted)).toBe('open');
  });

  it('takes ids and names of blocks that differ by a trailing blank or by case as different', async () => {
    await start();
    const names = ['a', 'a ', 'A', 'ä', 'a\u0308', '\u{1F600}'.repeat(60)];
    for (const taskId of names)
      await inTransaction((tx) => flowrra.within(tx).with({ taskId }).submit(echo(), `of '${taskId}'`));
    expect(await flowrra.outbox.relay()).toBe(names.length);
    const results = names.map((name) => `of '${name}'`);
    expect(await Promise.all(names.map(resultOf))).toEqual(results);
    expect(await resultOf(await flowrra.submit(work.blocks, names))).toEqual(results);
  });

  it('cancels a job that is not relayed with any reason', async () => {
    await start();
    const taskId = await inTransaction((tx) => flowrra.within(tx).submit(echo(), 'cancelled'));
    expect(await flowrra.cancel(taskId, { reason: '\'\0\ud800"' })).toBe(true);
    await flowrra.outbox.relay();
    expect(await flowrra.getResult(taskId)).toMatchObject({ status: 'cancelled' });
  });

  it('has tables with the longest names', async () => {
    const schema = `s${process.pid}_${dialect}`.padEnd(30, 'x');
    await start({ schema, name: 'n'.repeat(30), relay: true });
    const taskId = await inTransaction((tx) => flowrra.within(tx).submit(echo(), 'long'));
    expect(await resultOf(taskId)).toBe('long');
    if (dialect === 'mysql') await inTransaction((tx) => tx.query(`DROP SCHEMA ${schema}`));
  });
});
