import type { SqlDialect } from '../../engine/sql-connection.js';
import { DIALECTS, type Dialect } from './dialects.js';

/** Where the tables of an outbox are. */
export interface TableNames {
  /** The first part of the tables' names. */
  readonly name: string;
  /** The schema, of MySQL the database; `undefined` for the one that a connection uses by itself. */
  readonly schema: string | undefined;
}

/** The tables of an outbox, quoted. */
export interface Tables {
  /** The jobs that no relay has submitted yet. */
  readonly jobs: string;
  /** The blocks of `ctx.once` that have taken effect. */
  readonly once: string;
  /** One row: the version of the tables. */
  readonly version: string;
}

/** The version that this library needs. */
export const VERSION = 1;

export function tablesOf(dialect: Dialect, { name, schema }: TableNames): Tables {
  const prefix = schema === undefined ? '' : `${dialect.quote(schema)}.`;
  const table = (part: string): string => `${prefix}${dialect.quote(`${name}_${part}`)}`;
  return { jobs: table('outbox'), once: table('once'), version: table('outbox_version') };
}

/** The channel on which PostgreSQL tells of new rows. */
export function channelOf({ name, schema }: TableNames): string {
  const channel = `${schema === undefined ? '' : `${schema}.`}${name}_outbox`;
  // PostgreSQL rejects longer ones. If two outboxes have the same channel, their relays only look more often.
  return channel.slice(0, 63);
}

/** The statements that bring the tables from a version to {@link VERSION}; 0 if there are no tables. */
export function migrations(dialectName: SqlDialect, names: TableNames, from: number): readonly string[] {
  const dialect = DIALECTS[dialectName];
  const tables = tablesOf(dialect, names);
  const steps = [firstVersion(dialectName, dialect, tables, names)];
  return steps.slice(from).flat();
}

function firstVersion(
  dialectName: SqlDialect,
  { key, text, integer, serial, tableOptions, roomForUpdates, quote, ignore }: Dialect,
  { jobs, once, version }: Tables,
  { name }: TableNames,
): readonly string[] {
  // MySQL has no CREATE INDEX IF NOT EXISTS.
  const inTable = dialectName === 'mysql';
  const status = quote(`${name}_outbox_status`);
  const expiry = quote(`${name}_once_check`);
  return [
    `CREATE TABLE IF NOT EXISTS ${version} (only_row ${key} PRIMARY KEY, version ${integer} NOT NULL)${tableOptions}`,
    `CREATE TABLE IF NOT EXISTS ${jobs} (
  seq ${serial},
  id ${key} NOT NULL UNIQUE,
  task ${key} NOT NULL,
  job ${text} NOT NULL,
  created_at ${integer} NOT NULL,
  status ${key} NOT NULL DEFAULT 'waiting',
  due_at ${integer} NOT NULL,
  claim ${key},
  tries ${integer} NOT NULL DEFAULT 0,
  error ${text},
  cancel_reason ${text},
  same_as ${key}${inTable ? `,\n  INDEX ${status} (status, seq)` : ''}
)${tableOptions}${roomForUpdates}`,
    ...(inTable ? [] : [`CREATE INDEX IF NOT EXISTS ${status} ON ${jobs} (status, seq)`]),
    `CREATE TABLE IF NOT EXISTS ${once} (
  job ${key} NOT NULL,
  name ${key} NOT NULL,
  claim ${key} NOT NULL,
  result ${text},
  created_at ${integer} NOT NULL,
  check_at ${integer} NOT NULL,
  PRIMARY KEY (job, name)${inTable ? `,\n  INDEX ${expiry} (check_at)` : ''}
)${tableOptions}`,
    ...(inTable ? [] : [`CREATE INDEX IF NOT EXISTS ${expiry} ON ${once} (check_at)`]),
    `INSERT INTO ${version} (only_row, version) VALUES ('row', 1) ${ignore('only_row')}`,
  ];
}
