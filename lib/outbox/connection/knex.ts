import { mysqlRows } from './mysql2.js';
import { listenOn, type PgClient } from './pg.js';
import { at, looksLike } from './shape.js';
import type { KnownConnection, SqlDialect, SqlRow, SqlValue } from './sql-connection.js';

/** The client of a Knex instance. That of a transaction always gives the connection of the transaction. */
interface KnexClient {
  acquireConnection(): Promise<unknown>;
  releaseConnection(connection: unknown): unknown;
  /** A connection that is not of the pool. */
  acquireRawConnection(): Promise<unknown>;
  destroyRawConnection(connection: unknown): Promise<unknown>;
  query(connection: unknown, statement: Statement): Promise<{ readonly response?: unknown }>;
}

interface Statement {
  readonly sql: string;
  readonly bindings: SqlValue[];
  readonly method: 'raw';
  readonly options: object;
}

const DIALECTS = new Map<unknown, SqlDialect>([
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
  // The dialect of better-sqlite3 too.
  ['sqlite3', 'sqlite'],
]);

/**
 * Recognises an instance of Knex and its transactions. Statements go to the client of the instance: `knex.raw()` would
 * pass the rows to the application's `postProcessResponse`, which may rename their columns.
 */
export function recogniseKnex(value: unknown): KnownConnection | null {
  if (!looksLike(value, 'raw', 'transaction')) return null;
  const client = at(value, 'client');
  if (!looksLike<KnexClient>(client, 'acquireConnection', 'releaseConnection', 'query')) return null;
  const dialect = DIALECTS.get(at(client, 'dialect'));
  if (dialect === undefined) return null;
  const isTransaction = at(value, 'isTransaction') === true;
  const known: KnownConnection = {
    dialect,
    library: 'Knex',
    sync: false,
    isInTransaction: () => isTransaction && !isCompleted(value),
    run: (sql, values) => run(client, dialect, sql, values),
  };
  if (dialect !== 'postgres' || isTransaction) return known;
  return { ...known, listen: (channel, heard, lost) => listen(client, channel, heard, lost) };
}

async function run(
  client: KnexClient,
  dialect: SqlDialect,
  sql: string,
  values: readonly SqlValue[],
): Promise<readonly SqlRow[]> {
  // For PostgreSQL, Knex replaces each `?` that has no backslash by a `$1` of its own.
  const text = dialect === 'postgres' ? sql.replaceAll('?', '\\?') : sql;
  const connection = await client.acquireConnection();
  try {
    const statement: Statement = { sql: text, bindings: [...values], method: 'raw', options: {} };
    const { response } = await client.query(connection, statement);
    return rowsOf(dialect, response);
  } finally {
    await client.releaseConnection(connection);
  }
}

function rowsOf(dialect: SqlDialect, response: unknown): readonly SqlRow[] {
  if (dialect === 'postgres') return (at(response, 'rows') ?? []) as readonly SqlRow[];
  // The driver's rows and columns for MySQL and MariaDB; the rows, or an object with counts, for SQLite.
  return mysqlRows(dialect === 'mysql' ? at(response, '0') : response);
}

function isCompleted(transaction: unknown): boolean {
  return looksLike<{ isCompleted(): boolean }>(transaction, 'isCompleted') && transaction.isCompleted();
}

function listen(
  client: KnexClient,
  channel: string,
  heard: () => void,
  lost: () => void,
): Promise<() => Promise<void>> {
  return listenOn(
    async () => (await client.acquireRawConnection()) as PgClient,
    async (connection) => {
      await client.destroyRawConnection(connection);
    },
    channel,
    heard,
    lost,
  );
}
