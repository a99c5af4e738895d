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

/** @param file Named by the errors: what a driver throws says neither which file it means nor what to do. */
export function wrapDatabase(database: DriverDatabase, file: string): SqliteDatabase {
  return {
    exec: (sql) => {
      try {
        database.exec(sql);
      } catch (error) {
        throw engineError(error, file);
      }
    },
    prepare: <R>(sql: string) => {
      try {
        return wrapStatement<R>(database.prepare(sql), file);
      } catch (error) {
        throw engineError(error, file);
      }
    },
    close: () => void database.close(),
  };
}

/** Each catches for itself: a helper that is given what to do would cost every statement a closure. */
function wrapStatement<R>(statement: DriverStatement, file: string): SqliteStatement<R> {
  return {
    run: (...params) => {
      try {
        return Number(statement.run(...params).changes);
      } catch (error) {
        throw engineError(error, file);
      }
    },
    get: (...params) => {
      try {
        return statement.get(...params) as R | undefined;
      } catch (error) {
        throw engineError(error, file);
      }
    },
    all: (...params) => {
      try {
        return statement.all(...params) as R[];
      } catch (error) {
        throw engineError(error, file);
      }
    },
  };
}
