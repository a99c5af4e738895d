import type { SqliteDatabase, SqliteDriver, SqliteStatement, SqlValue } from './driver.interface.js';

/** As much of `node:sqlite` as is used: the types of Node 20, which the library is built for, do not know it. */
interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => {
    exec(sql: string): void;
    prepare(sql: string): NodeStatement;
    close(): void;
  };
}

interface NodeStatement {
  run(...params: SqlValue[]): { readonly changes: number | bigint };
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown[];
}

/** The driver that is part of Node from 22.13 on; `null` where Node has none. */
export function nodeSqlite(): SqliteDriver | null {
  const sqlite = withoutWarning(() => process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined);
  if (sqlite === undefined) return null;
  return { name: 'node:sqlite', open: (file) => wrap(new sqlite.DatabaseSync(file)) };
}

function wrap(database: InstanceType<NodeSqlite['DatabaseSync']>): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare: <R>(sql: string) => wrapStatement<R>(database.prepare(sql)),
    close: () => database.close(),
  };
}

function wrapStatement<R>(statement: NodeStatement): SqliteStatement<R> {
  return {
    run: (...params) => Number(statement.run(...params).changes),
    get: (...params) => statement.get(...params) as R | undefined,
    all: (...params) => statement.all(...params) as R[],
  };
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
