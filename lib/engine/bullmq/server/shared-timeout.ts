/** A timeout is noticed at most this many milliseconds late. */
const TICK_MS = 50;
/** The most ticks that count between two checks. In the rest of a longer pause the event loop was blocked. */
const MAX_TICKS = 2;

/** The server has not answered within a timeout. */
export class NoAnswerError extends Error {}

interface Waiting {
  readonly until: number;
  late(): void;
}

/**
 * A timeout for answers of a server, in real time, since servers live in real time. Only time in which
 * the event loop could read an answer counts, so a blocked loop does not look like a silent server.
 * One timer serves all waits.
 */
export class SharedTimeout {
  /** In the order of their ends: each wait has the same length. */
  private readonly waiting = new Set<Waiting>();
  private readonly tick: number;
  private timer: NodeJS.Timeout | null = null;
  /** Milliseconds that have counted so far. */
  private counted = 0;
  private checkedAt = 0;

  /** @param ms The length of each wait, in milliseconds. */
  constructor(private readonly ms: number) {
    this.tick = Math.min(TICK_MS, ms);
  }

  /** @throws {NoAnswerError} if the answer does not come in time. */
  limit<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.start(() => reject(new NoAnswerError(`no answer within ${this.ms} ms`)));
      answer.then(
        (value) => {
          stop();
          resolve(value);
        },
        (error: unknown) => {
          stop();
          reject(error);
        },
      );
    });
  }

  /** Calls `late` after the timeout. Returns a function that ends the wait. */
  start(late: () => void): () => void {
    if (this.timer === null) {
      this.checkedAt = performance.now();
      this.timer = setInterval(this.check, this.tick);
    }
    const waiting = { until: this.time() + this.ms, late };
    this.waiting.add(waiting);
    return () => void this.waiting.delete(waiting);
  }

  private time(now = performance.now()): number {
    return this.counted + Math.min(now - this.checkedAt, MAX_TICKS * this.tick);
  }

  private readonly check = (): void => {
    const now = performance.now();
    this.counted = this.time(now);
    this.checkedAt = now;
    const [first] = this.waiting;
    if (first === undefined) {
      if (this.timer !== null) clearInterval(this.timer);
      this.timer = null;
    } else if (first.until <= this.counted) {
      // Node runs timers before it reads sockets, and immediates after that: an answer that has arrived still counts.
      setImmediate(this.endLate);
    }
  };

  private readonly endLate = (): void => {
    for (const waiting of this.waiting) {
      if (waiting.until > this.counted) return;
      this.waiting.delete(waiting);
      waiting.late();
    }
  };
}

/** Closing waits at most this many milliseconds for each thing to be closed. */
const CLOSE_MS = 1_000;

/** Waits for the end of something that is being closed, but at most for a second. Its failure does not matter. */
export async function untilClosed(closing: Promise<unknown>): Promise<void> {
  await new SharedTimeout(CLOSE_MS).limit(closing).catch(() => undefined);
}
