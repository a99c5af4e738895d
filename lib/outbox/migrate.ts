import { FlowrraConfigError, OutboxError } from '../job/errors.js';
import type { SqlDialect } from '../engine/sql-connection.js';
import type { OutboxDatabase } from './outbox-database.js';
import { migrations, type TableNames, VERSION } from './sql/schema.js';
import { statementsOf } from './sql/statements.js';

/** Several processes that start together may create the same table at the same time. */
const TRIES = 5;

interface Found {
  readonly version: number;
  /** The error of the read. */
  readonly problem?: unknown;
}

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
    const { version, problem } = await versionOf(database, names);
    if (version >= VERSION) return;
    if (!migrate) throw outdated(database.dialect, names, version, problem);
    try {
      for (const sql of migrations(database.dialect, names, version)) await database.run(sql);
    } catch (error) {
      if (tried === TRIES) throw notCreated(database.dialect, names, version, error);
    }
  }
}

/** Version 0 if the table of the version cannot be read, with the reason. */
async function versionOf(database: OutboxDatabase, names: TableNames): Promise<Found> {
  try {
    const [row] = await database.run(statementsOf(database.dialect, names).readVersion);
    return { version: Number(row?.version ?? 0) };
  } catch (problem) {
    return { version: 0, problem };
  }
}

function outdated(
  dialect: SqlDialect,
  names: TableNames,
  version: number,
  problem: unknown,
): FlowrraConfigError {
  const reason = problem === undefined ? '' : ` (${messageOf(problem)})`;
  return new FlowrraConfigError(
    `outbox: the tables of version ${VERSION} are missing or cannot be read${reason}, and migrate is false. Run this SQL, or set migrate: true:\n${migrations(dialect, names, version).join(';\n')};`,
  );
}

function notCreated(dialect: SqlDialect, names: TableNames, version: number, cause: unknown): OutboxError {
  return new OutboxError(
    `The tables of the outbox could not be created: ${messageOf(cause)} If the role must not create tables, run this SQL in a migration of yours:\n${migrations(dialect, names, version).join(';\n')};`,
    { cause },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
