import { engineError } from '../sqlite-fault.js';

/** The value of a column or of a parameter. All numbers that the engine writes are safe integers. */
export type SqlValue = number | string | null;

/** The common part of both drivers. All calls are synchronous and throw `EngineError`. */
export interface SqliteDatabase {
  /** Runs statements that return no rows. */
  exec(sql: string): void;
  /** Ends a failed transaction. SQLite has ended it already after some errors, such as a full disk. */
  rollback(): void;
  /** @typeParam R The type of a row that the statement returns. */
  prepare<R = Record<string, SqlValue>>(sql: string): SqliteStatement<R>;
  close(): void;
}

export interface SqliteStatement<R> {
  /** Returns the number of rows that changed. */
  run(...params: SqlValue[]): number;
  get(...params: SqlValue[]): R | undefined;
  all(...params: SqlValue[]): R[];
}

export type DriverName = 'node:sqlite' | 'better-sqlite3';

export interface SqliteDriver {
  readonly name: DriverName;
  /** Opens a database file, and creates it if there is none. Throws the driver's own errors. */
  open(file: string): SqliteDatabase;
}

/** A database of either driver. */
export interface DriverDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): DriverStatement;
  close(): unknown;
}

interface DriverStatement {
  run(...params: SqlValue[]): { readonly changes: number | bigint };
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown[];
  /** Only `node:sqlite` has this method. */
  setReadBigInts?(enabled: boolean): void;
}

/** @param file The path for error messages: the drivers' own errors do not name the file. */
export function wrapDatabase(database: DriverDatabase, file: string): SqliteDatabase {
  return {
    exec: (sql) => {
      try {
        database.exec(sql);
      } catch (error) {
        throw engineError(error, file);
      }
    },
    rollback: () => {
      try {
        database.exec('ROLLBACK');
      } catch {
        // No transaction was open.
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

/** Each method has its own `try`: a shared helper would allocate a closure for every statement. */
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
        const [row] = readRounded(statement, error, file, () => [statement.get(...params)]);
        return row as R | undefined;
      }
    },
    all: (...params) => {
      try {
        return statement.all(...params) as R[];
      } catch (error) {
        return readRounded(statement, error, file, () => statement.all(...params)) as R[];
      }
    },
  };
}

/**
 * `node:sqlite` throws when it reads an integer beyond the safe range, which another program may have written.
 * Then the rows are read again with rounded integers, as better-sqlite3 reads them.
 *
 * @param read Runs the statement again. Only one such statement also writes (`RETURNING lines`), and its
 *   integer is never that large.
 */
function readRounded(
  statement: DriverStatement,
  error: unknown,
  file: string,
  read: () => unknown[],
): unknown[] {
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
