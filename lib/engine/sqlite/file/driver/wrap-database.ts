import { engineError } from '../../sqlite-fault.js';
import type { SqliteDatabase, SqliteStatement, SqlValue } from './driver.js';

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
  /** Of `node:sqlite`. */
  setReadBigInts?(enabled: boolean): void;
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
        const [row] = rounded(statement, error, file, () => [statement.get(...params)]);
        return row as R | undefined;
      }
    },
    all: (...params) => {
      try {
        return statement.all(...params) as R[];
      } catch (error) {
        return rounded(statement, error, file, () => statement.all(...params)) as R[];
      }
    },
  };
}

/**
 * `node:sqlite` refuses to read an integer beyond the safe ones, as another program may have written it:
 * such rows are read again, with their integers rounded, as better-sqlite3 reads them.
 *
 * @param read Runs the statement again. Only one also writes (`RETURNING lines`), and its count never is that large.
 */
function rounded(statement: DriverStatement, error: unknown, file: string, read: () => unknown[]): unknown[] {
  const { code } = error as { readonly code?: unknown };
  if (code !== 'ERR_OUT_OF_RANGE' || statement.setReadBigInts === undefined) throw engineError(error, file);
  statement.setReadBigInts(true);
  try {
    return read().map(withNumbers);
  } catch (cause) {
    throw engineError(cause, file);
  } finally {
    statement.setReadBigInts(false);
  }
}

function withNumbers(row: unknown): unknown {
  if (row === undefined) return row;
  return Object.fromEntries(
    Object.entries(row as object).map(([column, value]) => [
      column,
      typeof value === 'bigint' ? Number(value) : (value as unknown),
    ]),
  );
}
