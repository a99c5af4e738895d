import type { Clock } from '../../../job/clock.js';

/**
 * Notices that the system's clock has been set. Leases are written in its time, and after a jump
 * forward every one seems to have ended; so none counts as ended until its owner, if it lives, has
 * had a whole lease to renew it.
 */
export class ClockJumps {
  private skew: number;
  private trustedFrom: number;

  /**
   * @param round Milliseconds within which every living owner renews; what the clock is adjusted by is less.
   * @param noticed Called when the clock has been set.
   */
  constructor(
    private readonly clock: Clock,
    private readonly lease: number,
    private readonly round: number,
    private readonly noticed: () => void,
  ) {
    this.skew = clock.now() - this.steady();
    // It may have been set just before this process began.
    this.trustedFrom = this.steady() + 2 * round;
  }

  /** The file could be had by nobody for a while: its owners get the time to renew, now that it is free. */
  heldUp(): void {
    this.distrustFor(2 * this.round);
  }

  /** Whether a lease that seems to have ended has ended. */
  trustLeases(): boolean {
    const skew = this.clock.now() - this.steady();
    const set = Math.abs(skew - this.skew) > this.round;
    this.skew = skew;
    if (set) {
      this.distrustFor(this.lease);
      this.noticed();
    }
    return this.steady() >= this.trustedFrom;
  }

  private distrustFor(ms: number): void {
    this.trustedFrom = Math.max(this.trustedFrom, this.steady() + ms);
  }

  private steady(): number {
    return steadyTime(this.clock);
  }
}

/** Milliseconds in a time that nobody can set. */
export function steadyTime(clock: Clock): number {
  return clock.steady?.() ?? clock.now();
}
