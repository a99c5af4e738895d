import type { KnownConnection, SqlDialect, SqlRow, SqlValue } from './sql-connection.js';
import { at, looksLike } from './shape.js';

/** Kysely's `CompiledQuery`, as its `sql` template makes it of plain text. */
interface CompiledQuery {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  readonly query: {
    readonly kind: 'RawNode';
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly [];
  };
  readonly queryId: { readonly queryId: string };
}

interface Kysely {
  executeQuery(query: CompiledQuery): Promise<{ readonly rows: readonly SqlRow[] }>;
  getExecutor(): unknown;
  withoutPlugins(): Kysely;
}

/** Recognises a `Kysely` and its transactions, over any driver for PostgreSQL, MySQL, MariaDB and SQLite. */
export function recogniseKysely(value: unknown): KnownConnection | null {
  if (!looksLike<Kysely>(value, 'executeQuery', 'getExecutor', 'withoutPlugins')) return null;
  const dialect = dialectOf(at(value.getExecutor(), 'adapter'));
  if (dialect === null) return null;
  // A plugin such as CamelCasePlugin would rename the columns of the rows.
  const plain = value.withoutPlugins();
  return {
    dialect,
    library: 'Kysely',
    sync: false,
    isInTransaction: () =>
      at(value, 'isTransaction') === true &&
      at(value, 'isCommitted') !== true &&
      at(value, 'isRolledBack') !== true,
    run: async (sql, values) => (await plain.executeQuery(compiled(sql, values))).rows,
  };
}

/** An adapter tells features of its database, not the name. MS SQL has none of the three combinations. */
function dialectOf(adapter: unknown): SqlDialect | null {
  if (at(adapter, 'supportsOutput') === true) return null;
  const transactionalDdl = at(adapter, 'supportsTransactionalDdl');
  const returning = at(adapter, 'supportsReturning');
  if (transactionalDdl === true && returning === true) return 'postgres';
  if (transactionalDdl === false) return returning === true ? 'sqlite' : 'mysql';
  return null;
}

function compiled(sql: string, parameters: readonly SqlValue[]): CompiledQuery {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'flowrra' },
  };
}
