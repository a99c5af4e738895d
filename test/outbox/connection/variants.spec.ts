import { MikroORM } from '@mikro-orm/better-sqlite';
import Sqlite from 'better-sqlite3';
import { CamelCasePlugin, Kysely, SqliteDialect } from 'kysely';
import knex from 'knex';
import { DataSource } from 'typeorm';
import { connectionOf } from '../../../lib/outbox/connection/recognise.js';
import { tempFile } from '../../support/sqlite.js';
import { prismaClient } from '../support/prisma-client.js';

const SELECT = 'SELECT 1 AS some_number';

const isInTransaction = (value: unknown): boolean | null => connectionOf(value, 'value').isInTransaction();

describe('TypeORM', () => {
  let source: DataSource;
  beforeAll(async () => {
    source = await new DataSource({ type: 'better-sqlite3', database: ':memory:' }).initialize();
  });
  afterAll(() => source.destroy());

  it('gives a manager and a query runner too', async () => {
    const runner = source.createQueryRunner();
    for (const value of [source, source.manager, runner, runner.manager]) {
      expect(connectionOf(value, 'value')).toMatchObject({ library: 'TypeORM', dialect: 'sqlite' });
      expect(await connectionOf(value, 'value').run(SELECT, [])).toEqual([{ some_number: 1 }]);
      expect(isInTransaction(value)).toBe(false);
    }
    await runner.startTransaction();
    for (const value of [source, source.manager, runner, runner.manager])
      expect(isInTransaction(value)).toBe(true);
    await runner.rollbackTransaction();
    expect(isInTransaction(runner)).toBe(false);
  });

  it('gives a data source of version 0.3, which names it `connection`', () => {
    const manager = { query() {}, getRepository() {}, connection: source };
    expect(connectionOf(manager, 'value')).toMatchObject({ library: 'TypeORM', dialect: 'sqlite' });
  });
});

describe('MikroORM', () => {
  let orm: MikroORM;
  beforeAll(async () => {
    orm = await MikroORM.init({ dbName: ':memory:', discovery: { warnWhenNoEntities: false } });
  });
  afterAll(() => orm.close());

  it('gives an entity manager, which joins the transaction of its context', async () => {
    const global = connectionOf(orm.em, 'em');
    const fork = orm.em.fork();
    expect(connectionOf(fork, 'em')).toMatchObject({ library: 'MikroORM', dialect: 'sqlite' });
    expect([isInTransaction(fork), global.isInTransaction()]).toEqual([false, false]);
    await global.run('CREATE TABLE t (id TEXT)', []);
    const transaction = fork.transactional(async (em) => {
      expect([isInTransaction(em), global.isInTransaction()]).toEqual([true, true]);
      expect(connectionOf(orm, 'orm').isInTransaction()).toBe(false);
      await global.run('INSERT INTO t VALUES (?)', ['undone']);
      throw new Error('undo');
    });
    await expect(transaction).rejects.toThrow('undo');
    expect(await global.run('SELECT id FROM t', [])).toEqual([]);
  });

  it('gives a manager that begins by hand', async () => {
    const em = orm.em.fork();
    const known = connectionOf(em, 'em');
    await em.begin();
    expect(known.isInTransaction()).toBe(true);
    expect(await known.run(SELECT, [])).toEqual([{ some_number: 1 }]);
    await em.rollback();
    expect(known.isInTransaction()).toBe(false);
  });
});

describe('Kysely', () => {
  const database = new Kysely<object>({
    dialect: new SqliteDialect({ database: new Sqlite(':memory:') }),
    plugins: [new CamelCasePlugin()],
  });
  afterAll(() => database.destroy());

  it('leaves the names of columns to no plugin', async () => {
    expect(await connectionOf(database, 'value').run(SELECT, [])).toEqual([{ some_number: 1 }]);
    await database.transaction().execute(async (trx) => {
      expect(await connectionOf(trx, 'value').run(SELECT, [])).toEqual([{ some_number: 1 }]);
    });
  });

  it('gives a controlled transaction', async () => {
    const trx = await database.startTransaction().execute();
    expect(isInTransaction(trx)).toBe(true);
    await trx.commit().execute();
    expect(isInTransaction(trx)).toBe(false);
    await expect(connectionOf(trx, 'value').run(SELECT, [])).rejects.toThrow(/committed/);
  });
});

describe('Knex', () => {
  const database = knex({
    client: 'better-sqlite3',
    connection: { filename: ':memory:' },
    useNullAsDefault: true,
    postProcessResponse: () => 'the rows of the application',
  });
  afterAll(() => database.destroy());

  it('leaves rows to no function of the application', async () => {
    expect(await connectionOf(database, 'value').run(SELECT, [])).toEqual([{ some_number: 1 }]);
  });

  it('gives a transaction, until it has ended', async () => {
    const trx = await database.transaction();
    expect(isInTransaction(trx)).toBe(true);
    expect(await connectionOf(trx, 'value').run(SELECT, [])).toEqual([{ some_number: 1 }]);
    await trx.rollback(new Error('undo')).catch(() => undefined);
    expect(isInTransaction(trx)).toBe(false);
    await expect(connectionOf(trx, 'value').run(SELECT, [])).rejects.toThrow(/already complete/);
  });
});

describe('Prisma', () => {
  const client = prismaClient('sqlite', tempFile());
  const extended = client.$extends({ name: 'an extension' });
  afterAll(() => client.$disconnect());

  it('gives an extended client', async () => {
    expect(isInTransaction(extended)).toBe(false);
    expect(await connectionOf(extended, 'value').run(SELECT, [])).toEqual([{ some_number: 1n }]);
    await extended.$transaction(async (tx: unknown) => {
      expect(isInTransaction(tx)).toBe(true);
      expect(await connectionOf(tx, 'value').run(SELECT, [])).toEqual([{ some_number: 1n }]);
    });
  });

  it('undoes no statement of others when a statement fails', async () => {
    const known = connectionOf(client, 'value');
    await known.run('CREATE TABLE t (id TEXT PRIMARY KEY)', []);
    const failing = known.run('INSERT INTO missing VALUES (1)', []);
    await client.$executeRawUnsafe(`INSERT INTO t VALUES ('kept')`);
    await expect(failing).rejects.toThrow(/no such table/);
    expect(await known.run('SELECT id FROM t', [])).toEqual([{ id: 'kept' }]);
  });
});
