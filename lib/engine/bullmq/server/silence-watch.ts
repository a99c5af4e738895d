import type { Redis } from 'ioredis';

/** Longer than any blocking read that BullMQ makes by itself. */
const LEAST_MS = 20_000;

/** How long a connection may be silent, in milliseconds, where workers wait for a job for so many seconds at a time. */
export function silenceFor({ drainDelay = 0 }: { readonly drainDelay?: number }): number {
  return Math.max(LEAST_MS, 2_000 * drainDelay);
}

/** A connection on which answers are awaited, and how much had been read from it. */
interface Awaiting {
  readonly stream: Redis['stream'];
  readonly bytesRead: number;
}

/**
 * Gives up connections on which an answer is awaited and nothing comes back between two looks: behind
 * such a one the server may be gone for good, and ioredis makes another. Its own `socketTimeout` would
 * take a timer for every command.
 */
export class SilenceWatch {
  private awaiting = new Map<Redis, Awaiting>();
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param clients Those that are watched; more may come.
   * @param silence How long passes from one look to the next, in milliseconds.
   */
  constructor(
    private readonly clients: readonly Redis[],
    private readonly silence: number,
  ) {}

  start(): void {
    // Timers run before sockets are read, immediates after that: a blocked loop is no silence.
    this.timer ??= setInterval(() => setImmediate(() => this.look()), this.silence).unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  look(): void {
    const before = this.awaiting;
    this.awaiting = new Map();
    for (const client of this.clients) {
      const { stream, commandQueue } = client;
      if (commandQueue.length === 0) continue;
      const { bytesRead } = stream;
      const last = before.get(client);
      if (last?.stream === stream && last.bytesRead === bytesRead)
        stream.destroy(new Error(`Connection given up: no answer for ${this.silence / 1_000} s`));
      else this.awaiting.set(client, { stream, bytesRead });
    }
  }
}
