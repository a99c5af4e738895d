import type { SqliteDriver } from './driver.js';
import { type DriverDatabase, wrapDatabase } from './wrap-database.js';

/** As much of `node:sqlite` as is used: the types of Node 20, which the library is built for, do not know it. */
interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => DriverDatabase;
}

/** The driver that is part of Node from 22.13 on; `null` where Node has none. */
export function nodeSqlite(): SqliteDriver | null {
  const sqlite = withoutWarning(() => process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined);
  if (sqlite === undefined) return null;
  return { name: 'node:sqlite', open: (file) => wrapDatabase(new sqlite.DatabaseSync(file), file) };
}

/** Node calls the module experimental when it is first loaded. Choosing it is our decision, not news for users. */
function withoutWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
