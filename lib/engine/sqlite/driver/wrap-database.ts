import type { SqliteDatabase, SqliteStatement, SqlValue } from './driver.interface.js';

/** What both drivers' databases have in common. */
export interface DriverDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): DriverStatement;
  close(): unknown;
}

interface DriverStatement {
  run(...params: SqlValue[]): { readonly changes: number | bigint };
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown[];
}

export function wrapDatabase(database: DriverDatabase): SqliteDatabase {
  return {
    exec: (sql) => void database.exec(sql),
    prepare: <R>(sql: string) => wrapStatement<R>(database.prepare(sql)),
    close: () => void database.close(),
  };
}

function wrapStatement<R>(statement: DriverStatement): SqliteStatement<R> {
  return {
    run: (...params) => Number(statement.run(...params).changes),
    get: (...params) => statement.get(...params) as R | undefined,
    all: (...params) => statement.all(...params) as R[],
  };
}
