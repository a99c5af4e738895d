import type { SqliteDatabase, SqliteDriver, SqliteStatement, SqlValue } from './driver.interface.js';

/** As much of `better-sqlite3` as is used: its types need not be installed. */
interface BetterSqlite3 {
  new (file: string): {
    exec(sql: string): void;
    prepare(sql: string): BetterStatement;
    close(): void;
  };
}

interface BetterStatement {
  run(...params: SqlValue[]): { readonly changes: number };
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown[];
}

/** Not a literal, so that neither the compiler nor a bundler looks for a package that is optional. */
const PACKAGE: string = 'better-sqlite3';

/** @throws whatever importing the package throws: that it is missing, or that it was built for another Node. */
export async function betterSqlite3(): Promise<SqliteDriver> {
  const { default: Database } = (await import(PACKAGE)) as { default: BetterSqlite3 };
  // Its native part is loaded with the first database.
  new Database(':memory:').close();
  return { name: 'better-sqlite3', open: (file) => wrap(new Database(file)) };
}

function wrap(database: InstanceType<BetterSqlite3>): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare: <R>(sql: string) => wrapStatement<R>(database.prepare(sql)),
    close: () => database.close(),
  };
}

function wrapStatement<R>(statement: BetterStatement): SqliteStatement<R> {
  return {
    run: (...params) => statement.run(...params).changes,
    get: (...params) => statement.get(...params) as R | undefined,
    all: (...params) => statement.all(...params) as R[],
  };
}
