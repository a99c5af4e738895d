import { FlowrraConfigError } from '../../../job/errors.js';
import { type DriverDatabase, type DriverName, type SqliteDriver, wrapDatabase } from './driver.js';

/** The part of `better-sqlite3` that is used: its types need not be installed. */
type BetterSqlite3 = new (file: string) => DriverDatabase;

/** The part of `node:sqlite` that is used: the types of Node 20, the lowest supported version, lack the module. */
interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => DriverDatabase;
}

/** Typed as a string, so that neither the compiler nor a bundler resolves the optional package. */
const PACKAGE: string = 'better-sqlite3';

/**
 * Loads the given driver. `'auto'` means `node:sqlite` if Node has it, otherwise `better-sqlite3`.
 *
 * @throws {FlowrraConfigError} if the driver cannot be loaded. The error says which package to install.
 */
export async function loadDriver(wanted: DriverName | 'auto'): Promise<SqliteDriver> {
  const builtIn = wanted === 'better-sqlite3' ? null : nodeSqlite();
  if (builtIn !== null) return builtIn;
  if (wanted === 'node:sqlite') {
    throw new FlowrraConfigError(
      `sqlite driver 'node:sqlite': Node ${process.versions.node} does not have it. Use Node 22.13 or later, or remove the option and run: npm install better-sqlite3`,
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

/** The driver that Node 22.13 and later have built in; `null` if this Node lacks it. */
export function nodeSqlite(): SqliteDriver | null {
  const sqlite = withoutWarning(() => process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined);
  if (sqlite === undefined) return null;
  return { name: 'node:sqlite', open: (file) => wrapDatabase(new sqlite.DatabaseSync(file), file) };
}

/** @throws The import's error if the package is missing or was built for another version of Node. */
async function betterSqlite3(): Promise<SqliteDriver> {
  const { default: Database } = (await import(PACKAGE)) as { default: BetterSqlite3 };
  // The native part is loaded with the first database: its errors belong here.
  new Database(':memory:').close();
  return { name: 'better-sqlite3', open: (file) => wrapDatabase(new Database(file), file) };
}

/** Node emits an ExperimentalWarning when the module is first loaded. Users did not choose it, so they need no warning. */
function withoutWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
