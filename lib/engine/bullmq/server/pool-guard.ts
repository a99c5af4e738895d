import type { Client, Pool, PoolClient } from 'pg';

/** The longest that a server is given to part from a connection of ours. */
const PARTING_MS = 200;

/** Looks after the connections of a pool, which pg leaves to whoever they are lent to. */
export class PoolKeeper {
  private readonly open = new Set<PoolClient>();
  private late: NodeJS.Timeout | undefined;

  /** @param owned Whether the pool is ours to end. */
  constructor(
    private readonly pool: Pool,
    private readonly owned: boolean,
  ) {
    // Each queue, worker and listener listens for its errors.
    pool.setMaxListeners(0);
    pool.on('connect', this.opened).on('remove', this.closed);
  }

  async lend(): Promise<PoolClient> {
    const client = await this.pool.connect();
    this.opened(client);
    return client;
  }

  /**
   * Ends a pool of ours: at once, where pg would wait, with the whole process, for a server that has
   * stopped answering. Leaves any other one as it was.
   */
  async letGo(): Promise<void> {
    if (!this.owned) {
      this.pool.off('connect', this.opened).off('remove', this.closed);
      return;
    }
    if (this.open.size > 0) this.late = setTimeout(this.cut, PARTING_MS);
    await this.pool.end();
  }

  /** A connection that breaks while it is lent is an error that nobody else listens for, beside that of its query. */
  private readonly opened = (client: PoolClient): void => {
    if (this.open.has(client)) return;
    this.open.add(client);
    client.on('error', () => undefined);
  };

  private readonly closed = (client: PoolClient): void => {
    this.open.delete(client);
    if (this.open.size === 0) clearTimeout(this.late);
  };

  private readonly cut = (): void => {
    for (const client of this.open) (client as unknown as Client).connection.stream.destroy();
  };
}
