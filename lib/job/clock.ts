/** Time as the core sees it. Injected, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start, in a time that nobody can set. Default: the same as `now`. */
  steady?(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now, and returns what cancels it.
   * A background timer (retention, say) does not keep the process alive.
   */
  after(ms: number, fn: () => void, options?: { background?: boolean }): () => void;
}

/** The longest delay that `setTimeout` takes; beyond it Node fires at once. */
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
