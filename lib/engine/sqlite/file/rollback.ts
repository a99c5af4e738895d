import type { SqliteDatabase } from './driver/driver.js';

/** Ends a transaction that has failed. SQLite has ended it already after some errors, a full disk say. */
export function rollback(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // Nothing was open any more.
  }
}
