/** The longest window. */
const KEPT_SECONDS = 3_600;

/** The jobs that have finished within a window, and those of them that have failed. */
export interface Outcomes {
  readonly finished: number;
  readonly failed: number;
}

interface Second {
  finished: number;
  failed: number;
}

/** Counts outcomes in a sliding window of at most one hour. It keeps one count for each second, so its memory is limited. */
export class RecentOutcomes {
  /** In the order of time. */
  private readonly seconds = new Map<number, Second>();

  /** @param now Milliseconds of a clock that is never set back. */
  add(now: number, failed: boolean): void {
    const at = Math.floor(now / 1_000);
    let second = this.seconds.get(at);
    if (second === undefined) {
      this.forget(at - KEPT_SECONDS - 1);
      this.seconds.set(at, (second = { finished: 0, failed: 0 }));
    }
    second.finished++;
    if (failed) second.failed++;
  }

  /** @param ms The length of the window in milliseconds, rounded up to whole seconds. */
  within(ms: number, now: number): Outcomes {
    const from = Math.floor((now - ms) / 1_000);
    const sum = { finished: 0, failed: 0 };
    for (const [at, { finished, failed }] of this.seconds) {
      if (at < from) continue;
      sum.finished += finished;
      sum.failed += failed;
    }
    return sum;
  }

  private forget(until: number): void {
    for (const at of this.seconds.keys()) {
      if (at > until) return;
      this.seconds.delete(at);
    }
  }
}
