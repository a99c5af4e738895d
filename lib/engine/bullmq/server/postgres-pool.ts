import type { Client, Pool, PoolClient, PoolConfig } from 'pg';
import { SharedTimeout } from './shared-timeout.js';

/** How long the server may take to end a connection, in milliseconds. */
const DISCONNECT_MS = 200;

/** The part of the package `pg` that creates connections. */
export interface Pg {
  readonly Pool: typeof Pool;
  readonly Client: typeof Client;
}

type Connected = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/** The messages of pg itself. */
const LATE = 'timeout exceeded when trying to connect';
const ENDED = 'Cannot use a pool after calling end on the pool';

/**
 * A pool that waits for a connection as {@link SharedTimeout} does: pg's own timers also count time in
 * which the event loop was blocked. When the pool ends, it rejects calls that wait for a connection,
 * for which pg would never settle.
 *
 * @param ms How long a call waits for a connection, in milliseconds.
 */
export function timeoutPool({ Pool, Client }: Pg, config: PoolConfig, ms: number): Pool {
  const timeout = new SharedTimeout(ms);
  /** For each connection that the server has not accepted yet, a function that breaks it off. */
  const connecting = new Set<() => void>();

  class TimeoutClient extends Client {
    override connect(): Promise<Client>;
    override connect(done: (error: Error) => void): void;
    override connect(done?: (error: Error) => void): Promise<Client> | void {
      const breakOff = (): void => void socketOf(this).destroy();
      const cancelTimer = timeout.start(breakOff);
      connecting.add(breakOff);
      const stop = (): void => {
        cancelTimer();
        connecting.delete(breakOff);
      };
      if (done === undefined) return super.connect().finally(stop);
      super.connect((error: Error) => {
        stop();
        done(error);
      });
    }
  }

  class TimeoutPool extends Pool {
    private readonly waiting = new Set<(error: Error) => void>();

    override connect(): Promise<PoolClient>;
    override connect(connected: Connected): void;
    override connect(connected?: Connected): Promise<PoolClient> | void {
      if (connected !== undefined) return this.lend(connected);
      return new Promise((resolve, reject) =>
        this.lend((error, client) => (client === undefined ? reject(error) : resolve(client))),
      );
    }

    override end(): Promise<void>;
    override end(ended: () => void): void;
    override end(ended?: () => void): Promise<void> | void {
      for (const reject of this.waiting) reject(new Error(ENDED));
      // If the server is silent, these connections would keep the process alive.
      for (const breakOff of connecting) breakOff();
      return ended === undefined ? super.end() : super.end(ended);
    }

    private lend(connected: Connected): void {
      const reject = (error: Error): void => {
        stop();
        this.waiting.delete(reject);
        connected(error, undefined, () => undefined);
      };
      const stop = timeout.start(() => reject(new Error(LATE)));
      this.waiting.add(reject);
      super.connect((error, client, done) => {
        stop();
        // A connection that comes too late returns to the pool.
        if (this.waiting.delete(reject)) connected(error, client, done);
        else client?.release();
      });
    }
  }

  return new TimeoutPool({ ...config, Client: TimeoutClient });
}

/** Handles errors of lent connections, and ends a pool that Flowrra has created, also beside a silent server. */
export class PoolGuard {
  private readonly open = new Set<PoolClient>();
  private cutTimer: NodeJS.Timeout | undefined;

  /** @param owned Whether Flowrra has created the pool. */
  constructor(
    private readonly pool: Pool,
    private readonly owned: boolean,
  ) {
    // Each queue, worker and listener of BullMQ listens for errors of the pool.
    pool.setMaxListeners(0);
    pool.on('connect', this.opened).on('remove', this.closed);
  }

  async connect(): Promise<PoolClient> {
    const client = await this.pool.connect();
    this.opened(client);
    return client;
  }

  /**
   * Ends a pool of Flowrra's within {@link DISCONNECT_MS}: pg by itself would wait for a silent server,
   * and keep the process alive. A pool of the application stays open.
   */
  async close(): Promise<void> {
    if (!this.owned) {
      this.pool.off('connect', this.opened).off('remove', this.closed);
      return;
    }
    if (this.open.size > 0) this.cutTimer = setTimeout(this.cut, DISCONNECT_MS);
    await this.pool.end();
  }

  /** If a lent connection breaks, its query rejects, and the client emits an error for which pg has no listener. */
  private readonly opened = (client: PoolClient): void => {
    if (this.open.has(client)) return;
    this.open.add(client);
    client.on('error', () => undefined);
  };

  private readonly closed = (client: PoolClient): void => {
    this.open.delete(client);
    if (this.open.size === 0) clearTimeout(this.cutTimer);
  };

  private readonly cut = (): void => {
    for (const client of this.open) socketOf(client).destroy();
  };
}

/** Not part of pg's documented API. */
function socketOf(client: Client): { destroy(): unknown } {
  return client.connection.stream;
}
