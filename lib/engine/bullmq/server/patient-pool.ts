import type { Client, Pool, PoolClient, PoolConfig } from 'pg';
import { Patience } from './io-time.js';

type Connected = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/** The part of pg that makes connections. */
interface Pg {
  readonly Pool: typeof Pool;
  readonly Client: typeof Client;
}

/** What pg itself says. */
const LATE = 'timeout exceeded when trying to connect';
const ENDED = 'Cannot use a pool after calling end on the pool';

/**
 * A pool in which a connection is waited for as {@link Patience} waits: pg's own timers would also count
 * time in which the event loop was blocked. When it ends, those that wait are told; pg would let them wait.
 *
 * @param ms How long a connection is waited for.
 */
export function patientPool({ Pool, Client }: Pg, config: PoolConfig, ms: number): Pool {
  const patience = new Patience(ms);
  /** Connections that the server has not answered yet, each with what breaks it off. */
  const connecting = new Set<() => void>();

  class PatientClient extends Client {
    override connect(): Promise<Client>;
    override connect(told: (error: Error) => void): void;
    override connect(told?: (error: Error) => void): Promise<Client> | void {
      const breakOff = (): void => void this.connection.stream.destroy();
      const cancelTimer = patience.start(breakOff);
      connecting.add(breakOff);
      const stop = (): void => {
        cancelTimer();
        connecting.delete(breakOff);
      };
      if (told === undefined) return super.connect().finally(stop);
      super.connect((error: Error) => {
        stop();
        told(error);
      });
    }
  }

  class PatientPool extends Pool {
    private readonly waiting = new Set<(error: Error) => void>();

    override connect(): Promise<PoolClient>;
    override connect(told: Connected): void;
    override connect(told?: Connected): Promise<PoolClient> | void {
      if (told !== undefined) return this.lend(told);
      return new Promise((resolve, reject) =>
        this.lend((error, client) => (client === undefined ? reject(error) : resolve(client))),
      );
    }

    override end(): Promise<void>;
    override end(told: () => void): void;
    override end(told?: () => void): Promise<void> | void {
      for (const refuse of this.waiting) refuse(new Error(ENDED));
      // Beside a silent server they would hold up the end of the process.
      for (const breakOff of connecting) breakOff();
      return told === undefined ? super.end() : super.end(told);
    }

    private lend(told: Connected): void {
      const refuse = (error: Error): void => {
        stop();
        this.waiting.delete(refuse);
        told(error, undefined, () => undefined);
      };
      const stop = patience.start(() => refuse(new Error(LATE)));
      this.waiting.add(refuse);
      super.connect((error, client, done) => {
        stop();
        // A connection that comes too late goes back to the pool.
        if (this.waiting.delete(refuse)) told(error, client, done);
        else client?.release();
      });
    }
  }

  return new PatientPool({ ...config, Client: PatientClient });
}
