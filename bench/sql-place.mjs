import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startServices } from '../scripts/services/services.mjs';

/**
 * A database of an application: `postgres`, `mariadb` or `sqlite`. `tx` is the connection that `begin`, `commit` and
 * `rollback` are sent on, and `database` is the one of a relay: the same one on SQLite.
 */
export async function sqlPlace(kind, folder) {
  if (kind === 'sqlite') return sqlitePlace(join(folder, `outbox-${process.pid}.db`));
  const services = await startServices({
    redis: false,
    postgres: kind === 'postgres',
    mariadb: kind === 'mariadb',
    own: true,
  });
  return kind === 'postgres' ? postgresPlace(services) : mariadbPlace(services);
}

async function postgresPlace(services) {
  const { default: pg } = await import('pg');
  const database = new pg.Pool({ connectionString: services.postgresUrl });
  // Connections end with the server, which may be stopped first.
  database.on('error', () => undefined);
  const tx = await database.connect();
  return {
    dialect: 'postgres',
    database,
    tx,
    counted: 'query',
    run: (sql, values = []) => {
      let count = 0;
      return tx.query(
        sql.replaceAll('?', () => `$${++count}`),
        values,
      );
    },
    async stop() {
      tx.release();
      await database.end();
      await services.stop();
    },
  };
}

async function mariadbPlace(services) {
  const { default: mysql } = await import('mysql2/promise');
  const database = mysql.createPool(services.mariadbUrl);
  const tx = await database.getConnection();
  return {
    dialect: 'mysql',
    database,
    tx,
    counted: 'query',
    run: (sql, values = []) => tx.query(sql, values),
    async stop() {
      tx.release();
      await database.end();
      await services.stop();
    },
  };
}

async function sqlitePlace(file) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  return {
    dialect: 'sqlite',
    database,
    tx: database,
    counted: 'prepare',
    run: (sql, values = []) => database.prepare(sql).run(...values),
    async stop() {
      database.close();
      for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
    },
  };
}

/** Counts the statements that are sent on a connection or a pool from now on. */
export function countStatements(target, method) {
  const original = target[method];
  const counter = { count: 0 };
  target[method] = function (...args) {
    counter.count++;
    return original.apply(this, args);
  };
  counter.end = () => {
    target[method] = original;
    return counter.count;
  };
  return counter;
}
