/** Beyond its time by no more than this, something late is noticed. */
const TICK_MS = 50;

/** There was no answer in time. */
export class SilenceError extends Error {}

interface Waiting {
  readonly until: number;
  late(): void;
}

/**
 * Waits for a server, but not for ever: in real time, whatever clock the engine lives by, since
 * servers live in real time. One timer serves all who wait, in their order.
 */
export class Patience {
  private readonly waiting = new Set<Waiting>();
  private timer: NodeJS.Timeout | null = null;

  /** @param ms How long each waits. */
  constructor(private readonly ms: number) {}

  /**
   * The answer, unless it does not come in time.
   *
   * @param late What to throw then.
   */
  with<T>(answer: Promise<T>, late: () => Error = this.silence): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { until: performance.now() + this.ms, late: () => reject(late()) };
      this.waiting.add(waiting);
      this.timer ??= setInterval(this.look, Math.min(TICK_MS, this.ms));
      answer.then(
        (value) => {
          this.waiting.delete(waiting);
          resolve(value);
        },
        (error: unknown) => {
          this.waiting.delete(waiting);
          reject(error);
        },
      );
    });
  }

  readonly silence = (): Error => new SilenceError(`no answer within ${this.ms} ms`);

  private readonly look = (): void => {
    const now = performance.now();
    for (const waiting of this.waiting) {
      if (waiting.until > now) return;
      this.waiting.delete(waiting);
      waiting.late();
    }
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  };
}

/** Waits for what need not succeed: the end must not be held up. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  await new Patience(ms).with(work).catch(() => undefined);
}
