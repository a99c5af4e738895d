import type { KnownConnection, SqlDialect, SqlRow, SqlValue } from './sql-connection.js';
import { at, looksLike } from './shape.js';

/** A `PrismaClient`, or the client of an interactive transaction. */
interface PrismaClient {
  /** Runs statements without rows too, and resolves to `[]` for them. */
  $queryRawUnsafe(sql: string, ...values: readonly SqlValue[]): Promise<SqlRow[]>;
  $executeRawUnsafe(sql: string, ...values: readonly SqlValue[]): Promise<number>;
}

interface RootClient extends PrismaClient {
  $connect(): Promise<void>;
  $transaction<T>(fn: (tx: PrismaClient) => Promise<T>, options: { maxWait: number }): Promise<T>;
}

const DIALECTS = new Map<unknown, SqlDialect>([
  ['postgresql', 'postgres'],
  ['postgres', 'postgres'],
  ['mysql', 'mysql'],
  ['sqlite', 'sqlite'],
]);

/** How long a statement waits for the one connection to SQLite while a transaction of the application is open. */
const SQLITE_MAX_WAIT_MS = 30_000;

/** Recognises a `PrismaClient`, extended or not, and the client of an interactive transaction. */
export function recognisePrisma(value: unknown): KnownConnection | null {
  if (!looksLike<PrismaClient>(value, '$queryRawUnsafe', '$executeRawUnsafe')) return null;
  const dialect = DIALECTS.get(at(value, '_activeProvider'));
  if (dialect === undefined) return null;
  // The client of a transaction can neither connect nor disconnect.
  const root = looksLike<RootClient>(value, '$connect', '$transaction') ? value : null;
  return {
    dialect,
    library: 'Prisma',
    sync: false,
    isInTransaction: () => root === null,
    run: root !== null && dialect === 'sqlite' ? runAlone(root) : (sql, values) => query(value, sql, values),
  };
}

/**
 * The adapters for SQLite have one connection: statements of the root client take part in any transaction that is open
 * on it. Only transactions wait for each other, so each statement is a transaction.
 */
function runAlone(client: RootClient): KnownConnection['run'] {
  return async (sql, values) => {
    const outcome = await client.$transaction(
      // Statements of the application may run on the same connection meanwhile. A failed statement has changed nothing,
      // so the transaction is committed after an error too: a rollback would undo those statements.
      (tx) =>
        query(tx, sql, values).then(
          (rows) => ({ rows }),
          (error: unknown) => ({ error }),
        ),
      { maxWait: SQLITE_MAX_WAIT_MS },
    );
    if ('error' in outcome) throw outcome.error;
    return outcome.rows;
  };
}

function query(client: PrismaClient, sql: string, values: readonly SqlValue[]): Promise<SqlRow[]> {
  return client.$queryRawUnsafe(sql, ...values);
}
