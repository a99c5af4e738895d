import type { KnownConnection, SqlRow, SqlValue } from './sql-connection.js';
import { looksLike } from './shape.js';

/** The `sql` function of `postgres` (postgres.js), as far as it is used here. */
interface PostgresSql {
  unsafe(sql: string, values: readonly SqlValue[]): Promise<Iterable<SqlRow>>;
}

interface RootSql extends PostgresSql {
  begin(...given: readonly unknown[]): Promise<unknown>;
  listen(
    channel: string,
    heard: () => void,
    onListening: () => void,
  ): Promise<{ unlisten(): Promise<unknown> }>;
}

/** Recognises `sql`, the `sql` of a transaction or savepoint, and a reserved connection of postgres.js. */
export function recognisePostgresJs(value: unknown): KnownConnection | null {
  if (!looksLike<PostgresSql>(value, 'unsafe') || !looksLike(value, 'typed')) return null;
  if (looksLike(value, 'savepoint')) return connection(value, true);
  if (!looksLike<RootSql>(value, 'begin', 'listen'))
    // A reserved connection: whether `BEGIN` has been run on it is not told.
    return connection(value, looksLike(value, 'release') ? null : false);
  return { ...connection(value, false), listen: (channel, heard) => listen(value, channel, heard) };
}

function connection(sql: PostgresSql, inTransaction: boolean | null): KnownConnection {
  return {
    dialect: 'postgres',
    library: 'postgres.js',
    sync: false,
    isInTransaction: () => inTransaction,
    run: async (text, values) => [...(await sql.unsafe(text, values))],
  };
}

/**
 * The library connects again by itself when it loses the connection, and does not tell that it has lost it. It calls
 * `onListening` each time that it listens: after the first time, notices may have been missed, so there may be one.
 */
async function listen(sql: RootSql, channel: string, heard: () => void): Promise<() => Promise<void>> {
  let times = 0;
  const { unlisten } = await sql.listen(channel, heard, () => {
    if (times++ > 0) heard();
  });
  return async () => {
    // Rejects if the connection is gone, which ends the listening as well.
    await unlisten().catch(() => undefined);
  };
}
