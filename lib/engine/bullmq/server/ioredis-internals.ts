/**
 * All uses of ioredis beyond its documented API: the socket, the queue of commands, the creation of
 * clients by `duplicate`, and its messages. `test/bullmq/ioredis-internals.spec.ts` fails if one of them changes.
 */
import type { Redis } from 'ioredis';

const NOT_WRITABLE = "Stream isn't writeable";
/** ioredis rejects a command with this while there is no connection and `enableOfflineQueue` is false. */
const OFFLINE = `${NOT_WRITABLE} and enableOfflineQueue options is false`;
const GIVEN_UP = 'Connection given up';
const BROKEN = new RegExp(`Connection is closed|${GIVEN_UP}|${NOT_WRITABLE}`);

export function isWithoutConnection(error: unknown): boolean {
  return error instanceof Error && error.message === OFFLINE;
}

/** Whether a command was never written to a socket. */
export function isNotWritten({ message }: Error): boolean {
  return message.includes(NOT_WRITABLE);
}

/** Whether the connection was missing, or ended before the answer. */
export function isBrokenConnection(message: string): boolean {
  return BROKEN.test(message);
}

/** Calls `created` for each client that BullMQ creates by `client.duplicate()`. */
export function onDuplicate(client: Redis, created: (duplicate: Redis) => Redis): void {
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (override) => created(duplicate(override));
}

/**
 * Sends the commands of one turn of the event loop together: the first one at once, all others in one
 * write. ioredis writes each one by itself, and the system call costs more than a small command.
 */
export function writeTogether(client: Redis): Redis {
  return client.on('connect', () => {
    const { stream } = client;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    let writes = 0;
    const endTurn = (): void => {
      if (writes > 1) stream.uncork();
      writes = 0;
    };
    stream.write = (...args: unknown[]): boolean => {
      writes++;
      if (writes === 1) process.nextTick(endTurn);
      if (writes === 2) stream.cork();
      return write(...args);
    };
  });
}

/**
 * Rejects the unanswered commands when their connection ends. With `autoResendUnfulfilledCommands: false`,
 * ioredis neither sends them again nor settles them. It calls `flushQueue` itself only after its last connection.
 */
export function rejectUnanswered(client: Redis): Redis {
  const { flushQueue } = client as unknown as {
    flushQueue(error: Error, queues: { readonly offlineQueue: boolean }): void;
  };
  return client.on('close', () =>
    flushQueue.call(client, new Error('Connection is closed.'), { offlineQueue: false }),
  );
}

/** BullMQ by itself blocks for less than this long in one read. */
const MIN_SILENCE_MS = 20_000;

/**
 * How long a connection may be silent, in milliseconds.
 *
 * @param options `drainDelay`: how long one blocking read of a worker waits for a job, in seconds.
 */
export function maxSilence({ drainDelay = 0 }: { readonly drainDelay?: number }): number {
  return Math.max(MIN_SILENCE_MS, 2_000 * drainDelay);
}

/** A connection with unanswered commands at the last check. */
interface Unanswered {
  readonly stream: Redis['stream'];
  readonly bytesRead: number;
}

/**
 * Closes connections with unanswered commands that have received nothing between two checks, so that
 * ioredis connects again: the server may be gone for good. The option `socketTimeout` of ioredis would
 * start a timer for every command.
 */
export class SilenceWatch {
  private unanswered = new Map<Redis, Unanswered>();
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param clients May grow while the watch runs.
   * @param interval Milliseconds between two checks.
   */
  constructor(
    private readonly clients: readonly Redis[],
    private readonly interval: number,
  ) {}

  start(): void {
    // Node runs timers before it reads sockets, and immediates after that: a blocked event loop is no silence.
    this.timer ??= setInterval(() => setImmediate(() => this.check()), this.interval).unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  check(): void {
    const before = this.unanswered;
    this.unanswered = new Map();
    for (const client of this.clients) {
      const { stream, commandQueue } = client;
      if (commandQueue.length === 0) continue;
      const { bytesRead } = stream;
      const last = before.get(client);
      if (last?.stream === stream && last.bytesRead === bytesRead)
        stream.destroy(new Error(`${GIVEN_UP}: no answer for ${this.interval / 1_000} s`));
      else this.unanswered.set(client, { stream, bytesRead });
    }
  }
}
