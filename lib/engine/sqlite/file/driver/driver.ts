/** What a column holds and a parameter may be. Every number of the engine's is a safe integer. */
export type SqlValue = number | string | null;

/** The little that the engine asks of SQLite, so that either driver will do. All of it is synchronous, and throws `EngineError`. */
export interface SqliteDatabase {
  /** Runs statements that return nothing. */
  exec(sql: string): void;
  /** @typeParam R What a row of its answer looks like. */
  prepare<R = Record<string, SqlValue>>(sql: string): SqliteStatement<R>;
  close(): void;
}

export interface SqliteStatement<R> {
  /** Returns how many rows changed. */
  run(...params: SqlValue[]): number;
  get(...params: SqlValue[]): R | undefined;
  all(...params: SqlValue[]): R[];
}

export type DriverName = 'node:sqlite' | 'better-sqlite3';

/** Opens, or creates, a database file; throws what the driver throws. */
export interface SqliteDriver {
  readonly name: DriverName;
  open(file: string): SqliteDatabase;
}
