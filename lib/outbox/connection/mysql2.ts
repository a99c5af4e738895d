import type { KnownConnection, SqlRow, SqlValue } from './sql-connection.js';
import { at, looksLike } from './shape.js';

interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  readonly rowsAsArray: false;
  readonly nestTables: false;
  readonly namedPlaceholders: false;
}

/** A pool or a connection of `mysql2/promise`. */
interface PromiseTarget {
  query(statement: Statement): Promise<readonly [unknown, ...unknown[]]>;
  execute(statement: Statement): unknown;
}

/** A pool or a connection of `mysql2`, which calls back, makes its twin that returns promises. */
interface CallbackTarget {
  promise(): PromiseTarget;
  query(...given: readonly unknown[]): unknown;
  execute(...given: readonly unknown[]): unknown;
}

/** Recognises pools and connections of `mysql2` and `mysql2/promise`. */
export function recogniseMysql2(value: unknown): KnownConnection | null {
  const target = promiseTarget(value);
  if (target === null) return null;
  // Whether a transaction is open on a connection is known only from the reply to a statement.
  const inTransaction = looksLike(value, 'getConnection') ? false : null;
  return {
    dialect: 'mysql',
    library: 'mysql2',
    sync: false,
    isInTransaction: () => inTransaction,
    run: async (sql, values) => {
      // A pool may have been made with other shapes of rows and placeholders.
      const shapes = { rowsAsArray: false, nestTables: false, namedPlaceholders: false } as const;
      const [result] = await target.query({ sql, values, ...shapes });
      return mysqlRows(result);
    },
  };
}

/** The rows of a result of `mysql2`, which is an object with counts for a statement without rows. */
export function mysqlRows(result: unknown): readonly SqlRow[] {
  return Array.isArray(result) ? (result as readonly SqlRow[]) : [];
}

function promiseTarget(value: unknown): PromiseTarget | null {
  if (looksLike<CallbackTarget>(value, 'query', 'execute', 'promise')) return value.promise();
  // A promise pool or connection holds the one that calls back.
  const inner = at(value, 'pool') ?? at(value, 'connection');
  return looksLike<PromiseTarget>(value, 'query', 'execute') && looksLike(inner, 'promise') ? value : null;
}
