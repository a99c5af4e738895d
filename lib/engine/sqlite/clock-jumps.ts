import type { Clock } from '../../core/clock.js';

/**
 * Notices that the system's clock has been set. Leases are written in its time, and after a jump
 * forward every one seems to have ended; so none counts as ended until its owner, if it lives, has
 * had a whole lease to renew it.
 */
export class ClockJumps {
  private skew: number;
  private trustedFrom = -Infinity;

  /** @param tolerance Milliseconds: what a clock that is merely adjusted does not exceed. */
  constructor(
    private readonly clock: Clock,
    private readonly lease: number,
    private readonly tolerance: number,
  ) {
    this.skew = clock.now() - this.steady();
  }

  /** Whether a lease that seems to have ended has ended. */
  trustLeases(): boolean {
    const skew = this.clock.now() - this.steady();
    if (Math.abs(skew - this.skew) > this.tolerance) this.trustedFrom = this.steady() + this.lease;
    this.skew = skew;
    return this.steady() >= this.trustedFrom;
  }

  private steady(): number {
    return this.clock.steady?.() ?? this.clock.now();
  }
}
