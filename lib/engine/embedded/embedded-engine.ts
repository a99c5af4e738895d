import type { Capability, Engine, EngineHost } from '../engine.js';
import { EmbeddedConnection } from './embedded-connection.js';
import type { JobStore, StoreEvent } from './job-store.js';

/** An engine inside the process, over a store. Each store has results and control. */
export class EmbeddedEngine implements Engine {
  readonly supports: ReadonlySet<Capability>;

  constructor(
    readonly name: string,
    private readonly store: JobStore,
  ) {
    this.supports = new Set<Capability>(['results', 'control', ...store.supports]);
  }

  get durable(): boolean {
    return this.store.durable;
  }

  async connect(host: EngineHost): Promise<EmbeddedConnection> {
    const { clock, retention, queues } = host;
    let connection: EmbeddedConnection | null = null;
    const notify = (event: StoreEvent): void => {
      // The store may end a dead worker's job while it opens. All other events are about later attempts.
      if (event.type === 'ended') host.notify({ type: 'cancelled', row: event.row });
      else connection?.hear(event);
    };
    const store = await this.store.open({ clock, retention, queues, notify });
    connection = new EmbeddedConnection(this.name, this.durable, store, host);
    return connection;
  }
}
