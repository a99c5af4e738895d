import { FlowrraConfigError } from '../../job/errors.js';
import type { KnownConnection, SqlConnection } from './sql-connection.js';

/** Placeholder until the table of libraries lands. */
export function recognised(value: unknown, place: string): KnownConnection {
  const any = value as any;
  if (typeof any?.prepare === 'function')
    return {
      dialect: 'sqlite',
      sync: true,
      library: 'better-sqlite3',
      isInTransaction: () => any.inTransaction,
      run(sql, values) {
        const statement = any.prepare(sql);
        return statement.reader ? statement.all(...values) : (statement.run(...values), []);
      },
    };
  const seam = value as SqlConnection;
  if (typeof seam?.run === 'function')
    return {
      dialect: seam.dialect,
      sync: seam.sync === true,
      library: 'SqlConnection',
      isInTransaction: () => null,
      run: seam.run.bind(seam),
    };
  throw new FlowrraConfigError(`${place}: unknown connection`);
}
