/** Beyond its time by no more than this, something late is noticed. */
const TICK_MS = 50;
/** The most ticks that one look counts for: the rest of a longer pause is time in which nothing could be read. */
const MOST_TICKS = 2;

/** There was no answer in time. */
export class SilenceError extends Error {}

interface Waiting {
  readonly until: number;
  late(): void;
}

/**
 * Waits for a server, but not for ever: in real time, whatever clock the engine lives by, since
 * servers live in real time. Only time in which the event loop could read an answer counts, so
 * a blocked loop is not taken for a silent server. One timer serves all who wait, in their order.
 */
export class Patience {
  private readonly waiting = new Set<Waiting>();
  private readonly tick: number;
  private timer: NodeJS.Timeout | null = null;
  /** How much time counts so far, and when that was looked at. */
  private counted = 0;
  private looked = 0;

  /** @param ms How long each waits. */
  constructor(private readonly ms: number) {
    this.tick = Math.min(TICK_MS, ms);
  }

  /**
   * The answer, unless it does not come in time.
   *
   * @param late What to throw then.
   */
  with<T>(answer: Promise<T>, late: () => Error = this.silence): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.start(() => reject(late()));
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

  /** Calls `late` when the time is over; returns what prevents that. */
  start(late: () => void): () => void {
    if (this.timer === null) {
      this.looked = performance.now();
      this.timer = setInterval(this.look, this.tick);
    }
    const waiting = { until: this.time() + this.ms, late };
    this.waiting.add(waiting);
    return () => void this.waiting.delete(waiting);
  }

  readonly silence = (): Error => new SilenceError(`no answer within ${this.ms} ms`);

  private time(now = performance.now()): number {
    return this.counted + Math.min(now - this.looked, MOST_TICKS * this.tick);
  }

  private readonly look = (): void => {
    const now = performance.now();
    this.counted = this.time(now);
    this.looked = now;
    const [first] = this.waiting;
    if (first === undefined) {
      if (this.timer !== null) clearInterval(this.timer);
      this.timer = null;
    } else if (first.until <= this.counted) {
      // Timers run before sockets are read, immediates after that: an answer that has arrived still counts.
      setImmediate(this.judge);
    }
  };

  private readonly judge = (): void => {
    for (const waiting of this.waiting) {
      if (waiting.until > this.counted) return;
      this.waiting.delete(waiting);
      waiting.late();
    }
  };
}

/** Waits for what need not succeed: the end must not be held up. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  await new Patience(ms).with(work).catch(() => undefined);
}
