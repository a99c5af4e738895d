/** The time for all of Flowrra. It is injected, so tests control it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start, by a clock that is never set. @defaultValue the same as `now` */
  steady?(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now. Returns a function that cancels the call.
   *
   * @param options A `background` timer does not keep the process alive.
   */
  after(ms: number, fn: () => void, options?: { background?: boolean }): () => void;
}

/** Monotonic milliseconds, which setting the clock does not change. */
export function steadyTime(clock: Clock): number {
  return clock.steady?.() ?? clock.now();
}

/** The longest delay of `setTimeout` in milliseconds. With a longer one, Node calls at once. */
const LONGEST_TIMEOUT = 2_147_483_647;

export const systemClock: Clock = {
  now: Date.now,
  steady: () => performance.now(),
  after(ms, fn, { background = false } = {}) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer = setTimeout(
        () => (left > LONGEST_TIMEOUT ? arm(left - LONGEST_TIMEOUT) : fn()),
        Math.min(left, LONGEST_TIMEOUT),
      );
      if (background) timer.unref();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};
