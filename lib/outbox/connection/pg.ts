import type { KnownConnection, SqlRow, SqlValue } from './sql-connection.js';
import { at, looksLike } from './shape.js';

/** A `Client` of `pg`, as far as it is used here. */
export interface PgClient {
  query(sql: string, values?: readonly SqlValue[]): Promise<{ readonly rows: readonly SqlRow[] }>;
  on(event: 'error' | 'end' | 'notification', listener: (given: unknown) => void): unknown;
  off(event: 'error' | 'end' | 'notification', listener: (given: unknown) => void): unknown;
}

interface OwnPgClient extends PgClient {
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

interface PgPool extends Pick<PgClient, 'query'> {
  connect(): Promise<PgClient>;
  readonly options: object;
  /** The constructor of the pool's clients. */
  readonly Client: new (options: object) => OwnPgClient;
}

/** Recognises a `Pool`, a `Client` and a `PoolClient` of `pg`. */
export function recognisePg(value: unknown): KnownConnection | null {
  if (looksLike<PgPool>(value, 'query', 'connect', 'Client') && typeof at(value, 'idleCount') === 'number')
    return {
      ...connection(value, () => false),
      listen: (channel, heard, lost) => {
        // A client of the pool would be missing there for as long as it listens, so this client is not the pool's.
        const open = async (): Promise<OwnPgClient> => {
          const client = new value.Client(value.options);
          await client.connect();
          return client;
        };
        return listenOn(open, (client) => client.end(), channel, heard, lost);
      },
    };
  if (
    looksLike<PgClient>(value, 'query', 'on', 'off') &&
    looksLike(value, 'escapeIdentifier', 'escapeLiteral')
  )
    return connection(value, () => inTransaction(value));
  return null;
}

/**
 * Listens on a client that serves nothing else.
 *
 * @param open Connects the client.
 * @param close Ends the client, which may have lost its connection.
 */
export async function listenOn<T extends PgClient>(
  open: () => Promise<T>,
  close: (client: T) => Promise<void>,
  channel: string,
  heard: () => void,
  lost: () => void,
): Promise<() => Promise<void>> {
  const client = await open();
  let listening = false;
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    client.off('notification', onNotification);
    // The listener for errors stays: without one, a late error of the socket would end the process.
    await close(client).catch(() => undefined);
  };
  const onNotification = (message: unknown): void => {
    if (at(message, 'channel') === channel) heard();
  };
  const onLost = (): void => {
    if (ended) return;
    void end();
    // Before that, the caller learns of it by the error of `LISTEN`.
    if (listening) lost();
  };
  client.on('notification', onNotification);
  client.on('error', onLost);
  client.on('end', onLost);
  try {
    await client.query(`LISTEN "${channel.replaceAll('"', '""')}"`);
  } catch (error) {
    await end();
    throw error;
  }
  if (ended) throw new Error('The connection closed after LISTEN.');
  listening = true;
  return end;
}

function connection(target: Pick<PgClient, 'query'>, isInTransaction: () => boolean | null): KnownConnection {
  return {
    dialect: 'postgres',
    library: 'pg',
    sync: false,
    isInTransaction,
    run: async (sql, values) => (await target.query(sql, values)).rows,
  };
}

/** Recent versions of `pg` keep the status that the server reports after each query; older ones do not. */
function inTransaction(client: PgClient): boolean | null {
  if (!looksLike<{ getTransactionStatus(): unknown }>(client, 'getTransactionStatus')) return null;
  const status = client.getTransactionStatus();
  if (status === 'I') return false;
  return status === 'T' || status === 'E' ? true : null;
}
