import type { KnownConnection, SqlDialect, SqlRow, SqlValue } from './sql-connection.js';
import { recognisePg } from './pg.js';
import { at, looksLike } from './shape.js';

interface QueryRunner {
  /** With `true`, the result has the same form for every database and every kind of statement. */
  query(sql: string, values: readonly SqlValue[], structured: true): Promise<{ records?: SqlRow[] }>;
  startTransaction(): Promise<void>;
  release(): Promise<void>;
}

interface DataSource {
  createQueryRunner(): QueryRunner;
  query(sql: string, values: readonly SqlValue[]): Promise<unknown>;
}

const DIALECTS = new Map<unknown, SqlDialect>([
  ['postgres', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
  ['better-sqlite3', 'sqlite'],
]);

/** Recognises a `DataSource`, an `EntityManager` and a `QueryRunner` of TypeORM 0.3 and 1. */
export function recogniseTypeOrm(value: unknown): KnownConnection | null {
  const source = looksLike<DataSource>(value, 'createQueryRunner') ? value : dataSourceOf(value);
  if (!looksLike<DataSource>(source, 'createQueryRunner', 'query')) return null;
  const dialect = DIALECTS.get(at(source, 'options', 'type'));
  if (dialect === undefined) return null;
  const runner = runnerOf(value);
  const known: KnownConnection = {
    dialect,
    library: 'TypeORM',
    sync: false,
    isInTransaction: () => inTransaction(source, runner),
    run: runner === null ? onRunnerOfItsOwn(source) : (sql, values) => query(runner, sql, values),
  };
  const listen = runner === null ? recognisePg(at(source, 'driver', 'master'))?.listen : undefined;
  return listen === undefined ? known : { ...known, listen };
}

function dataSourceOf(value: unknown): unknown {
  const isOfSource =
    looksLike(value, 'query', 'getRepository') || looksLike(value, 'query', 'startTransaction');
  // Version 0.3 names the data source `connection`.
  return isOfSource ? (at(value, 'dataSource') ?? at(value, 'connection')) : undefined;
}

/** The runner of a manager or the runner itself; `null` for what has no connection of its own. */
function runnerOf(value: unknown): QueryRunner | null {
  const methods = ['query', 'startTransaction', 'release'] as const;
  if (looksLike<QueryRunner>(value, ...methods)) return value;
  const runner = at(value, 'queryRunner');
  return looksLike<QueryRunner>(runner, ...methods) ? runner : null;
}

/** Over SQLite, all runners share one connection, and a statement takes part in the transaction of any of them. */
function inTransaction(source: DataSource, runner: QueryRunner | null): boolean {
  const shared = at(source, 'driver', 'databaseConnection', 'inTransaction');
  return shared === true || at(runner, 'isTransactionActive') === true;
}

function onRunnerOfItsOwn(source: DataSource): KnownConnection['run'] {
  return async (sql, values) => {
    const runner = source.createQueryRunner();
    try {
      return await query(runner, sql, values);
    } finally {
      await runner.release();
    }
  };
}

async function query(runner: QueryRunner, sql: string, values: readonly SqlValue[]): Promise<SqlRow[]> {
  const { records } = await runner.query(sql, values, true);
  return records ?? [];
}
