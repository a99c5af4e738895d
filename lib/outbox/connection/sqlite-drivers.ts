import type { KnownConnection, SqlRow, SqlValue } from './sql-connection.js';
import { at, looksLike } from './shape.js';

interface Statement {
  all(...values: readonly SqlValue[]): SqlRow[];
  run(...values: readonly SqlValue[]): unknown;
  /** Of better-sqlite3: whether the statement returns rows. `all` rejects a statement that returns none. */
  readonly reader?: boolean;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
}

/** Recognises a `Database` of `better-sqlite3` and a `DatabaseSync` of `node:sqlite`. */
export function recogniseSqliteDriver(value: unknown): KnownConnection | null {
  if (!looksLike<Database>(value, 'prepare', 'exec')) return null;
  if (typeof at(value, 'inTransaction') === 'boolean' && looksLike(value, 'pragma'))
    return connection(value, 'better-sqlite3', () => at(value, 'inTransaction') === true);
  if (!looksLike(value, 'createSession', 'close')) return null;
  return connection(value, 'node:sqlite', () => {
    // Node.js has the property since 22.16 and 24.0.
    const inTransaction = at(value, 'isTransaction');
    return typeof inTransaction === 'boolean' ? inTransaction : null;
  });
}

function connection(
  database: Database,
  library: string,
  isInTransaction: () => boolean | null,
): KnownConnection {
  return {
    dialect: 'sqlite',
    library,
    sync: true,
    isInTransaction,
    run: (sql, values) => {
      const statement = database.prepare(sql);
      if (statement.reader !== false) return statement.all(...values);
      statement.run(...values);
      return [];
    },
  };
}
