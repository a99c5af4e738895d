import type { Redis } from 'ioredis';

/** Longer than any blocking read of BullMQ's. */
const LOOK_MS = 20_000;

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

  /** @param clients Those that are watched; more may come. */
  constructor(private readonly clients: readonly Redis[]) {}

  start(): void {
    this.timer ??= setInterval(() => this.look(), LOOK_MS).unref();
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
        stream.destroy(new Error(`Connection given up: no answer for ${LOOK_MS / 1_000} s`));
      else this.awaiting.set(client, { stream, bytesRead });
    }
  }
}
