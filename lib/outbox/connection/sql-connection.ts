import type { SqlConnection } from '../../engine/sql-connection.js';

export type { SqlConnection, SqlDialect, SqlRow, SqlValue } from '../../engine/sql-connection.js';

/** A connection, and the features of the library that made it. */
export interface KnownConnection extends SqlConnection {
  readonly sync: boolean;
  /** The library, for errors: `Prisma`, `TypeORM`, … */
  readonly library: string;
  /**
   * Whether a statement that is run now takes part in a transaction that other code has begun; `null` if the library
   * does not tell.
   */
  isInTransaction(): boolean | null;
  /**
   * Calls `heard` for each `NOTIFY` on the channel, and `lost` once if the connection that listens ends. Resolves, when
   * it listens, with the function that ends it. Absent if the library cannot listen.
   */
  listen?(channel: string, heard: () => void, lost: () => void): Promise<() => Promise<void>>;
}
