import { FlowrraConfigError } from '../../../../job/errors.js';
import { betterSqlite3 } from './better-sqlite3.js';
import type { DriverName, SqliteDriver } from './driver.js';
import { nodeSqlite } from './node-sqlite.js';

/**
 * The driver that was asked for, or, by default, Node's own where Node has it.
 *
 * @throws {FlowrraConfigError} that says what to install if there is none.
 */
export async function loadDriver(wanted: DriverName | 'auto'): Promise<SqliteDriver> {
  const builtIn = wanted === 'better-sqlite3' ? null : nodeSqlite();
  if (builtIn !== null) return builtIn;
  if (wanted === 'node:sqlite') {
    throw new FlowrraConfigError(
      `sqlite driver 'node:sqlite': Node ${process.versions.node} has none. Use Node 22.13 or later, or leave the option out and run: npm install better-sqlite3`,
    );
  }
  try {
    return await betterSqlite3();
  } catch (cause) {
    throw new FlowrraConfigError(
      `The SQLite engine needs a driver. Node ${process.versions.node} has none built in (22.13 and later have), and better-sqlite3 could not be loaded. Run: npm install better-sqlite3@12, or, if it is installed and its native part was not built: npm rebuild better-sqlite3. (${String(cause).split('\n')[0]})`,
      { cause },
    );
  }
}
