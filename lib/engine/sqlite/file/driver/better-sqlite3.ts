import type { SqliteDriver } from './driver.js';
import { type DriverDatabase, wrapDatabase } from './wrap-database.js';

/** As much of `better-sqlite3` as is used: its types need not be installed. */
type BetterSqlite3 = new (file: string) => DriverDatabase;

/** Not a literal, so that neither the compiler nor a bundler looks for a package that is optional. */
const PACKAGE: string = 'better-sqlite3';

/** @throws whatever importing the package throws: that it is missing, or that it was built for another Node. */
export async function betterSqlite3(): Promise<SqliteDriver> {
  const { default: Database } = (await import(PACKAGE)) as { default: BetterSqlite3 };
  // Its native part is loaded with the first database.
  new Database(':memory:').close();
  return { name: 'better-sqlite3', open: (file) => wrapDatabase(new Database(file), file) };
}
