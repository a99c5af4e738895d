import Sqlite from 'better-sqlite3';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3';
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2';
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import { Kysely, MysqlDialect, PostgresDialect, sql as kyselySql, SqliteDialect, type Dialect } from 'kysely';
import knex from 'knex';
import mysql from 'mysql2';
import mysqlPromise from 'mysql2/promise';
import pg from 'pg';
import postgres from 'postgres';
import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm';
import type { SqlDialect } from '../../../lib/outbox/connection/sql-connection.js';
import { prismaClient } from './prisma-client.js';

type Callback<T> = (tx: unknown) => Promise<T>;

/** A library that is connected to a database. */
export interface Handle {
  /** The pool, client or ORM that an application gives as the `database` of `outbox()`. */
  readonly database: unknown;
  /** Runs the function in a transaction, which is rolled back if the function rejects. */
  transaction<T>(fn: Callback<T>): Promise<T>;
  /** Runs the function in a transaction inside of `tx`, or from a savepoint on. */
  nested<T>(tx: unknown, fn: Callback<T>): Promise<T>;
  /** Runs a synchronous function in a transaction. Libraries with `sync` have it. */
  transactionSync?<T>(fn: (tx: unknown) => T): T;
  close(): Promise<void>;
}

/** A library over one kind of database. */
export interface Library {
  readonly library: string;
  readonly dialect: SqlDialect;
  /** Whether the library runs statements synchronously. */
  readonly sync?: true;
  /** @param url Of the database; the path of the file for SQLite. */
  open(url: string): Promise<Handle>;
}

/** Above the time that a test takes on a busy machine. */
const PATIENCE_MS = 600_000;

const prisma = (dialect: SqlDialect): Library => ({
  library: 'Prisma',
  dialect,
  async open(url) {
    const database = prismaClient(dialect, url);
    type Transactional = Pick<typeof database, '$transaction'>;
    return {
      database,
      transaction: (fn) => database.$transaction(fn, { maxWait: PATIENCE_MS, timeout: PATIENCE_MS }),
      nested: (tx, fn) => (tx as Transactional).$transaction(fn),
      close: () => database.$disconnect(),
    };
  },
});

const typeOrm = (dialect: SqlDialect, options: (url: string) => DataSourceOptions): Library => ({
  library: 'TypeORM',
  dialect,
  async open(url) {
    const database = await new DataSource(options(url)).initialize();
    return {
      database,
      transaction: (fn) => database.transaction(fn),
      nested: (tx, fn) => (tx as EntityManager).transaction(fn),
      close: () => database.destroy(),
    };
  },
});

const mikroOrm = (dialect: SqlDialect, load: () => Promise<MikroOrmDriver>): Library => ({
  library: 'MikroORM',
  dialect,
  async open(url) {
    const { MikroORM } = await load();
    const place = dialect === 'sqlite' ? { dbName: url } : { clientUrl: url };
    const database = await MikroORM.init({ ...place, discovery: { warnWhenNoEntities: false } });
    return {
      database,
      transaction: (fn) => database.em.fork().transactional(fn),
      nested: (tx, fn) => (tx as MikroOrmManager).transactional(fn),
      close: () => database.close(),
    };
  },
});

interface MikroOrmManager {
  fork(): MikroOrmManager;
  transactional<T>(fn: Callback<T>): Promise<T>;
}

/** The packages for the databases have each a type `MikroORM` of their own. */
interface MikroOrmDriver {
  readonly MikroORM: { init(options: object): Promise<{ em: MikroOrmManager; close(): Promise<void> }> };
}

const kysely = (dialect: SqlDialect, driver: (url: string) => Dialect): Library => ({
  library: 'Kysely',
  dialect,
  async open(url) {
    const database = new Kysely<object>({ dialect: driver(url) });
    return {
      database,
      transaction: (fn) => database.transaction().execute(fn),
      nested: (tx, fn) =>
        bySavepoint(
          (text) => kyselySql.raw(text).execute(tx as typeof database),
          () => fn(tx),
        ),
      close: () => database.destroy(),
    };
  },
});

const knexOver = (dialect: SqlDialect, client: string): Library => ({
  library: 'Knex',
  dialect,
  async open(url) {
    const connection = dialect === 'sqlite' ? { filename: url } : url;
    const database = knex({ client, connection, useNullAsDefault: true });
    return {
      database,
      transaction: (fn) => database.transaction(fn),
      nested: (tx, fn) => (tx as typeof database).transaction(fn),
      close: () => database.destroy(),
    };
  },
});

interface DrizzleDatabase {
  transaction<T>(fn: Callback<T>): Promise<T>;
}

function drizzleHandle(database: DrizzleDatabase, close: () => Promise<void>): Handle {
  return {
    database,
    transaction: (fn) => database.transaction(fn),
    nested: (tx, fn) => (tx as DrizzleDatabase).transaction(fn),
    close,
  };
}

/** A transaction by SQL statements, on a connection that the function returns. */
async function byStatements<T>(
  run: (sql: string) => unknown,
  fn: () => Promise<T>,
  begin = 'BEGIN',
  commit = 'COMMIT',
  rollback = 'ROLLBACK',
): Promise<T> {
  await run(begin);
  try {
    const result = await fn();
    await run(commit);
    return result;
  } catch (error) {
    await run(rollback);
    throw error;
  }
}

function bySavepoint<T>(run: (sql: string) => unknown, fn: () => Promise<T>): Promise<T> {
  return byStatements(
    run,
    fn,
    'SAVEPOINT inner1',
    'RELEASE SAVEPOINT inner1',
    'ROLLBACK TO SAVEPOINT inner1',
  );
}

const ON_POSTGRES: readonly Library[] = [
  {
    library: 'pg',
    dialect: 'postgres',
    async open(url) {
      const database = new pg.Pool({ connectionString: url });
      return {
        database,
        async transaction(fn) {
          const client = await database.connect();
          try {
            return await byStatements(
              (sql) => client.query(sql),
              () => fn(client),
            );
          } finally {
            client.release();
          }
        },
        nested: (tx, fn) =>
          bySavepoint(
            (sql) => (tx as pg.PoolClient).query(sql),
            () => fn(tx),
          ),
        close: () => database.end(),
      };
    },
  },
  {
    library: 'postgres.js',
    dialect: 'postgres',
    async open(url) {
      const database = postgres(url, { onnotice: () => {} });
      return {
        database,
        transaction: <T>(fn: Callback<T>) => database.begin(fn) as Promise<T>,
        nested: <T>(tx: unknown, fn: Callback<T>) =>
          (tx as postgres.TransactionSql).savepoint(fn) as Promise<T>,
        close: () => database.end(),
      };
    },
  },
  {
    library: 'Drizzle (pg)',
    dialect: 'postgres',
    async open(url) {
      const pool = new pg.Pool({ connectionString: url });
      return drizzleHandle(drizzlePg(pool), () => pool.end());
    },
  },
  {
    library: 'Drizzle (postgres.js)',
    dialect: 'postgres',
    async open(url) {
      const sql = postgres(url, { onnotice: () => {} });
      return drizzleHandle(drizzlePostgresJs(sql), () => sql.end());
    },
  },
  prisma('postgres'),
  typeOrm('postgres', (url) => ({ type: 'postgres', url })),
  mikroOrm('postgres', () => import('@mikro-orm/postgresql')),
  kysely('postgres', (url) => new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) })),
  knexOver('postgres', 'pg'),
];

const ON_MYSQL: readonly Library[] = [
  {
    library: 'mysql2',
    dialect: 'mysql',
    async open(url) {
      const database = mysql.createPool(url);
      const promises = database.promise();
      return {
        database,
        async transaction(fn) {
          const held = await promises.getConnection();
          try {
            return await byStatements(
              (sql) => held.query(sql),
              () => fn(held.connection),
            );
          } finally {
            held.release();
          }
        },
        nested: (tx, fn) =>
          bySavepoint(
            (sql) => (tx as mysql.Connection).promise().query(sql),
            () => fn(tx),
          ),
        close: () => promises.end(),
      };
    },
  },
  {
    library: 'mysql2/promise',
    dialect: 'mysql',
    async open(url) {
      const database = mysqlPromise.createPool(url);
      return {
        database,
        async transaction(fn) {
          const held = await database.getConnection();
          try {
            return await byStatements(
              (sql) => held.query(sql),
              () => fn(held),
            );
          } finally {
            held.release();
          }
        },
        nested: (tx, fn) =>
          bySavepoint(
            (sql) => (tx as mysqlPromise.PoolConnection).query(sql),
            () => fn(tx),
          ),
        close: () => database.end(),
      };
    },
  },
  {
    library: 'Drizzle (mysql2)',
    dialect: 'mysql',
    async open(url) {
      const pool = mysqlPromise.createPool(url);
      return drizzleHandle(drizzleMysql(pool), () => pool.end());
    },
  },
  prisma('mysql'),
  typeOrm('mysql', (url) => ({ type: 'mariadb', url })),
  mikroOrm('mysql', () => import('@mikro-orm/mysql')),
  kysely('mysql', (url) => new MysqlDialect({ pool: mysql.createPool(url) })),
  knexOver('mysql', 'mysql2'),
];

const ON_SQLITE: readonly Library[] = [
  {
    library: 'better-sqlite3',
    dialect: 'sqlite',
    sync: true,
    async open(file) {
      const database = new Sqlite(file);
      return {
        database,
        transaction: (fn) =>
          byStatements(
            (sql) => database.exec(sql),
            () => fn(database),
          ),
        nested: (_tx, fn) =>
          bySavepoint(
            (sql) => database.exec(sql),
            () => fn(database),
          ),
        transactionSync: (fn) => database.transaction(() => fn(database))(),
        close: async () => void database.close(),
      };
    },
  },
  {
    library: 'Drizzle (better-sqlite3)',
    dialect: 'sqlite',
    sync: true,
    async open(file) {
      const driver = new Sqlite(file);
      const database = drizzleSqlite(driver);
      // Its own transactions are synchronous.
      const run = (sql: string): unknown => database.run(drizzleSql.raw(sql));
      return {
        database,
        transaction: (fn) => byStatements(run, () => fn(database)),
        nested: (_tx, fn) => bySavepoint(run, () => fn(database)),
        transactionSync: (fn) => database.transaction((tx) => fn(tx)),
        close: async () => void driver.close(),
      };
    },
  },
  prisma('sqlite'),
  typeOrm('sqlite', (file) => ({ type: 'better-sqlite3', database: file })),
  mikroOrm('sqlite', () => import('@mikro-orm/better-sqlite')),
  kysely('sqlite', (file) => new SqliteDialect({ database: new Sqlite(file) })),
  knexOver('sqlite', 'better-sqlite3'),
];

/** The part of `node:sqlite` that is used: the types of Node 20, the lowest supported version, lack the module. */
interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => { exec(sql: string): void; close(): void };
}

const nodeSqlite = process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined;

const onNodeSqlite = ({ DatabaseSync }: NodeSqlite): Library => ({
  library: 'node:sqlite',
  dialect: 'sqlite',
  sync: true,
  async open(file) {
    const database = new DatabaseSync(file);
    const run = (sql: string): void => database.exec(sql);
    return {
      database,
      transaction: (fn) => byStatements(run, () => fn(database)),
      nested: (_tx, fn) => bySavepoint(run, () => fn(database)),
      transactionSync(fn) {
        run('BEGIN');
        try {
          const result = fn(database);
          run('COMMIT');
          return result;
        } catch (error) {
          run('ROLLBACK');
          throw error;
        }
      },
      close: async () => database.close(),
    };
  },
});

/** On the Node.js that tests this driver, better-sqlite3 is not built. */
const isForNodeSqlite = process.env.FLOWRRA_TEST_SQLITE === 'node:sqlite';

/** Every library that is recognised, over every kind of database; `node:sqlite` only where Node.js has it. */
export const LIBRARIES: readonly Library[] = [
  ...(isForNodeSqlite ? [] : [...ON_POSTGRES, ...ON_MYSQL, ...ON_SQLITE]),
  ...(nodeSqlite === undefined ? [] : [onNodeSqlite(nodeSqlite)]),
];
