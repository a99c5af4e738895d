import type { MaybePromise } from '../job/async.js';

/** The SQL that a database speaks. `mysql` is that of MariaDB too. */
export type SqlDialect = 'postgres' | 'mysql' | 'sqlite';

/**
 * A value for a placeholder. Times are milliseconds since the epoch. JSON is a string, for which the statement has
 * `$1::text::jsonb`: postgres.js would encode the string for `$1::jsonb` once more.
 */
export type SqlValue = string | number | null;

/**
 * A row by the names of its columns. Whole numbers may arrive as `number`, `bigint` or `string`, as the driver has them.
 * Flowrra's statements return only numbers and texts: the libraries read times and JSON in different ways, and Prisma
 * rejects the type `void` of `pg_notify()`.
 */
export type SqlRow = Readonly<Record<string, unknown>>;

/**
 * Runs statements on a database: inside a transaction of yours for `flowrra.within()` and `ctx.once()`, or on any free
 * connection for the `database` of `outbox()`. The libraries in use are recognised; for another one, give this object.
 */
export interface SqlConnection {
  readonly dialect: SqlDialect;
  /**
   * Runs one statement, and returns its rows; an empty array for a statement without rows.
   *
   * @param sql With the placeholders of the dialect: `$1`, `$2`, … for `postgres`, otherwise `?`.
   */
  run(sql: string, values: readonly SqlValue[]): MaybePromise<readonly SqlRow[]>;
  /**
   * Whether `run` returns the rows themselves and never a promise. `submitSync` and `onceSync` need it.
   *
   * @defaultValue `false`
   */
  readonly sync?: boolean;
}
