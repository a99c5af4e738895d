import { FlowrraConfigError, OutboxError } from '../job/errors.js';
import type { SqlDialect } from '../engine/sql-connection.js';
import type { OutboxDatabase } from './outbox-database.js';
import { migrations, type TableNames, VERSION } from './sql/schema.js';
import { Statements } from './sql/statements.js';

/** Several processes that start together may create the same table at the same time. */
const TRIES = 5;

/**
 * Checks that the tables have the version that this library needs.
 *
 * @param migrate Whether missing tables are created, and old ones are changed.
 * @throws {FlowrraConfigError} with the SQL to run, if they do not and `migrate` is `false`.
 * @throws {OutboxError} if the database rejects the statements, or does not answer.
 */
export async function prepareTables(
  database: OutboxDatabase,
  names: TableNames,
  migrate: boolean,
): Promise<void> {
  await database.run('SELECT 1');
  for (let tried = 1; ; tried++) {
    const version = await versionOf(database, names);
    if (version >= VERSION) return;
    if (!migrate) throw outdated(database.dialect, names, version);
    try {
      for (const sql of migrations(database.dialect, names, version)) await database.run(sql);
    } catch (error) {
      if (tried === TRIES) throw notCreated(database.dialect, names, version, error);
    }
  }
}

/** 0 if there are no tables. */
async function versionOf(database: OutboxDatabase, names: TableNames): Promise<number> {
  try {
    const [row] = await database.run(new Statements(database.dialect, names).readVersion);
    return Number(row?.version ?? 0);
  } catch {
    return 0;
  }
}

function outdated(dialect: SqlDialect, names: TableNames, version: number): FlowrraConfigError {
  return new FlowrraConfigError(
    `outbox: the tables of version ${VERSION} are missing, and migrate is false. Run this SQL, or set migrate: true:\n${migrations(dialect, names, version).join(';\n')};`,
  );
}

function notCreated(dialect: SqlDialect, names: TableNames, version: number, cause: unknown): OutboxError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new OutboxError(
    `The tables of the outbox could not be created: ${problem} If the role must not create tables, run this SQL in a migration of yours:\n${migrations(dialect, names, version).join(';\n')};`,
    { cause },
  );
}
