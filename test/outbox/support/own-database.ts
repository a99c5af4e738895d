import mysql from 'mysql2/promise';
import pg from 'pg';
import type { SqlDialect } from '../../../lib/outbox/connection/sql-connection.js';
import { tempFile } from '../../support/sqlite.js';

/** A database that no other spec uses. */
export interface OwnDatabase {
  /** For SQLite, the path of the file. */
  readonly url: string;
  remove(): Promise<void>;
}

let databases = 0;

/** @param server The URL of the server; not for SQLite. */
export async function ownDatabase(dialect: SqlDialect, server?: string): Promise<OwnDatabase> {
  if (dialect === 'sqlite') return { url: tempFile(), remove: async () => undefined };
  if (server === undefined) throw new Error(`${dialect} needs the URL of a server.`);
  const name = `outbox_${process.pid}_${Math.trunc(performance.now())}_${databases++}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  const run = dialect === 'postgres' ? onPostgres : onMysql;
  await run(server, `CREATE DATABASE ${name}`);
  return { url: url.href, remove: () => drop(() => run(server, `DROP DATABASE ${name}`)) };
}

/**
 * A pool counts as ended before its connections are. PostgreSQL waits five seconds for them; `WITH (FORCE)` would end
 * them with an error that nothing handles.
 */
async function drop(attempt: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      return await attempt();
    } catch (error) {
      if (tries === 5) throw error;
    }
}

async function onPostgres(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function onMysql(server: string, sql: string): Promise<void> {
  const connection = await mysql.createConnection(server);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
