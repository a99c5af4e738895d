import type { INestApplicationContext } from '@nestjs/common';
import Sqlite from 'better-sqlite3';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { FlowrraConfigError, type FlowrraService, OutboxError } from '../../lib/index.js';
import { outbox, type OutboxOptions, outboxSchema } from '../../lib/outbox/index.js';
import { startServices } from '../../scripts/services/services.mjs';
import { startApp } from '../support/app.js';
import { withoutLogs } from './support/without-logs.js';
import { type OwnDatabase, ownDatabase } from './support/own-database.js';

const services = await startServices({ redis: false, mariadb: true });
afterAll(() => services.stop());
withoutLogs();

/** A driver of each dialect, with a way to run a script of several statements. */
interface Driver {
  readonly database: object;
  script(sql: string): Promise<unknown>;
  rows(sql: string): Promise<Record<string, unknown>[]>;
  transaction<T>(fn: (tx: object) => Promise<T>): Promise<T>;
  close(): Promise<unknown>;
}

const DIALECTS = [
  { dialect: 'postgres', server: services.postgresUrl, open: openPostgres },
  { dialect: 'mysql', server: services.mariadbUrl, open: openMysql },
  { dialect: 'sqlite', server: undefined, open: openSqlite },
] as const;

function openPostgres(url: string, options: object = {}): Driver {
  const pool = new pg.Pool({ connectionString: url, ...options });
  return {
    database: pool,
    script: (sql) => pool.query(sql),
    rows: async (sql) => (await pool.query<Record<string, unknown>>(sql)).rows,
    async transaction(fn) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const result = await fn(client);
        await client.query('COMMIT');
        return result;
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}

function openMysql(url: string): Driver {
  const pool = mysql.createPool({ uri: url, multipleStatements: true });
  return {
    database: pool,
    script: (sql) => pool.query(sql),
    rows: async (sql) => (await pool.query(sql))[0] as Record<string, unknown>[],
    async transaction(fn) {
      const connection = await pool.getConnection();
      try {
        await connection.beginTransaction();
        const result = await fn(connection);
        await connection.commit();
        return result;
      } finally {
        connection.release();
      }
    },
    close: () => pool.end(),
  };
}

function openSqlite(file: string): Driver {
  const database = new Sqlite(file);
  return {
    database,
    script: async (sql) => database.exec(sql),
    rows: async (sql) => database.prepare(sql).all() as Record<string, unknown>[],
    async transaction(fn) {
      database.exec('BEGIN');
      try {
        return await fn(database);
      } finally {
        database.exec('COMMIT');
      }
    },
    close: async () => database.close(),
  };
}

describe.each(DIALECTS)('the tables on $dialect', ({ dialect, server, open }) => {
  let own: OwnDatabase;
  const drivers: Driver[] = [];
  const apps: INestApplicationContext[] = [];

  beforeEach(async () => {
    own = await ownDatabase(dialect, server);
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    for (const driver of drivers.splice(0)) await driver.close();
    await own.remove();
  });

  const connect = (options?: object): Driver => {
    const driver = open(own.url, options);
    drivers.push(driver);
    return driver;
  };
  const start = async (
    driver: Driver,
    options: Omit<OutboxOptions, 'database'> = {},
  ): Promise<FlowrraService> => {
    const { app, flowrra } = await startApp({ outbox: outbox({ database: driver.database, ...options }) });
    apps.push(app);
    return flowrra;
  };
  /** A job of a transaction runs: the tables are complete. */
  const expectToWork = async (driver: Driver, flowrra: FlowrraService): Promise<void> => {
    flowrra.register({ name: 'work' }, (n: number) => n + 1);
    const taskId = await driver.transaction((tx) => flowrra.within(tx).submit('work', 1));
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success', result: 2 });
    expect(await flowrra.outbox.stuck()).toEqual([]);
    expect(await flowrra.outbox.health()).toEqual({ oldestMs: null, stuck: 0 });
  };

  it('are created at the start, and found by the next one', async () => {
    const driver = connect();
    await expectToWork(driver, await start(driver));
    // Its relay would hand jobs to an engine that the next application does not see.
    await apps.pop()?.close();
    await expectToWork(driver, await start(driver, { migrate: false }));
    expect(await driver.rows('SELECT version FROM flowrra_outbox_version')).toHaveLength(1);
  });

  it('with migrate: false, the start fails with the SQL that makes it succeed', async () => {
    const driver = connect();
    const error = await start(driver, { migrate: false }).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(FlowrraConfigError);
    const { message } = error as Error;
    expect(message).toMatch(/migrate is false/);
    await driver.script(message.slice(message.indexOf('\n') + 1));
    await expectToWork(driver, await start(driver, { migrate: false }));
  });

  it('outboxSchema() is the same SQL, and may run twice', async () => {
    const driver = connect();
    const sql = outboxSchema(dialect);
    await driver.script(sql);
    await driver.script(sql);
    await expectToWork(driver, await start(driver, { migrate: false }));
  });

  it('another name makes another outbox', async () => {
    const driver = connect();
    const first = await start(driver, { relay: false });
    const second = await start(driver, { name: 'second_one' });
    first.register({ name: 'work' }, () => 'first');
    second.register({ name: 'work' }, () => 'second');
    const taskId = await driver.transaction((tx) => first.within(tx).submit('work'));
    expect(await second.outbox.relay()).toBe(0);
    expect(await second.getResult(taskId)).toBeNull();
    expect(await first.getResult(taskId)).toMatchObject({ status: 'pending' });
    expect(await driver.rows('SELECT id FROM second_one_outbox')).toEqual([]);
    expect(await driver.rows('SELECT id FROM flowrra_outbox')).toEqual([{ id: taskId }]);
    expect(await first.outbox.relay()).toBe(1);
  });

  it('five applications that start at once create them once', async () => {
    const all = Array.from({ length: 5 }, () => connect());
    const started = await Promise.all(all.map((driver) => start(driver)));
    for (const [index, flowrra] of started.entries()) flowrra.register({ name: 'work' }, () => index);
    expect(await all[0]?.rows('SELECT version FROM flowrra_outbox_version')).toHaveLength(1);
    const ids: string[] = [];
    for (const [index, flowrra] of started.entries())
      ids.push(await (all[index] as Driver).transaction((tx) => flowrra.within(tx).submit('work')));
    // The engines are in memory: the job runs in the process whose relay was first.
    for (const flowrra of started) await flowrra.outbox.relay();
    const found = await Promise.all(ids.map((id) => Promise.all(started.map((one) => one.jobs.get(id)))));
    for (const jobs of found) expect(jobs.filter((job) => job !== null)).toHaveLength(1);
  });

  it('of a newer version are used as they are', async () => {
    const driver = connect();
    await driver.script(outboxSchema(dialect));
    await driver.script('UPDATE flowrra_outbox_version SET version = 99');
    await expectToWork(driver, await start(driver));
    expect(
      (await driver.rows('SELECT version FROM flowrra_outbox_version')).map(({ version }) => Number(version)),
    ).toEqual([99]);
  });

  it.each(['', '1st', 'a-b', 'x'.repeat(31), 'a"; DROP TABLE x'])('the name %j is rejected', (name) => {
    expect(() => outboxSchema(dialect, { name })).toThrow(FlowrraConfigError);
    expect(() => outbox({ database: {}, name })).toThrow(FlowrraConfigError);
  });

  if (dialect === 'sqlite') {
    it('a schema is rejected', async () => {
      await expect(start(connect(), { schema: 'other' })).rejects.toThrow(/SQLite has no schemas/);
    });
    return;
  }

  it('may be in another schema', async () => {
    const driver = connect();
    const schema = `other_${process.pid}`;
    await driver.script(`CREATE SCHEMA ${schema}`);
    try {
      await driver.script(outboxSchema(dialect, { schema, name: 'mine' }));
      const flowrra = await start(driver, { schema, name: 'mine', migrate: false });
      await expectToWork(driver, flowrra);
      expect(await driver.rows(`SELECT version FROM ${schema}.mine_outbox_version`)).toHaveLength(1);
      await expect(driver.rows('SELECT version FROM mine_outbox_version')).rejects.toThrow();
    } finally {
      // MariaDB's schemas are databases.
      await driver.script(`DROP SCHEMA ${schema} ${dialect === 'postgres' ? 'CASCADE' : ''}`);
    }
  });

  if (dialect !== 'postgres') return;

  it('a role that must not create them fails the start with the SQL to run', async () => {
    const driver = connect();
    const role = `weak_${process.pid}`;
    await driver.script(`CREATE ROLE ${role}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
    try {
      const error = await start(connect({ options: `-c role=${role}` })).catch((reason: Error) => reason);
      expect(error).toBeInstanceOf(OutboxError);
      expect((error as Error).message).toMatch(/permission denied[^]*CREATE TABLE IF NOT EXISTS/);
    } finally {
      await driver.script(`DROP ROLE ${role}`);
    }
  });
});
