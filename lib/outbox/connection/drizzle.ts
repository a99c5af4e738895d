import type { KnownConnection } from './sql-connection.js';
import { recogniseMysql2 } from './mysql2.js';
import { recognisePg } from './pg.js';
import { recognisePostgresJs } from './postgres-js.js';
import { at, looksLike } from './shape.js';
import { recogniseSqliteDriver } from './sqlite-drivers.js';

const DRIVERS = [recognisePg, recognisePostgresJs, recogniseMysql2, recogniseSqliteDriver];

/**
 * Recognises a database and a transaction of Drizzle over `pg`, `postgres`, `mysql2` or `better-sqlite3`. Statements are
 * run by the driver: over SQLite this keeps them synchronous.
 */
export function recogniseDrizzle(value: unknown): KnownConnection | null {
  if (!looksLike(value, 'select', 'insert', 'transaction') || at(value, 'session') === undefined) return null;
  const client = at(value, 'session', 'client');
  for (const recognise of DRIVERS) {
    const driver = recognise(client);
    if (driver === null) continue;
    // A transaction of Drizzle has a depth, and its session holds the connection that the transaction is on. Over
    // SQLite the object outlives the transaction, and the connection tells.
    const isTransaction = typeof at(value, 'nestedIndex') === 'number' && !driver.sync;
    return {
      ...driver,
      library: `Drizzle (${driver.library})`,
      isInTransaction: isTransaction ? () => true : driver.isInTransaction,
    };
  }
  return null;
}
