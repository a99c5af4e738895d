import { engineError } from '../sqlite-fault.js';
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

/** @param file Named by the errors. */
export function wrapDatabase(database: DriverDatabase, file: string): SqliteDatabase {
  return {
    exec: (sql) => void explained(file, () => database.exec(sql)),
    prepare: <R>(sql: string) =>
      wrapStatement<R>(
        explained(file, () => database.prepare(sql)),
        file,
      ),
    close: () => void database.close(),
  };
}

function wrapStatement<R>(statement: DriverStatement, file: string): SqliteStatement<R> {
  return {
    run: (...params) => Number(explained(file, () => statement.run(...params)).changes),
    get: (...params) => explained(file, () => statement.get(...params)) as R | undefined,
    all: (...params) => explained(file, () => statement.all(...params)) as R[],
  };
}

/** What a driver throws says neither which file it means nor what to do. */
function explained<T>(file: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw engineError(error, file);
  }
}
