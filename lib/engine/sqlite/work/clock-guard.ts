import { type Clock, steadyTime } from '../../../job/clock.js';

/**
 * Detects that the system's clock has been set. Leases are stored in system time, so after a jump forward
 * all of them seem to have ended. A lease then counts as ended only after its owner has had a whole lease's
 * time to renew it.
 */
export class ClockGuard {
  private skew: number;
  private trustedFrom: number;

  /**
   * @param lease Milliseconds.
   * @param round Milliseconds in which every living owner renews its leases. Smaller changes of the clock
   *   are ignored.
   * @param clockSet Called when the clock has been set.
   */
  constructor(
    private readonly clock: Clock,
    private readonly lease: number,
    private readonly round: number,
    private readonly clockSet: () => void,
  ) {
    this.skew = clock.now() - this.steady();
    // The clock may have been set just before this process started.
    this.trustedFrom = this.steady() + 2 * round;
  }

  /** The file was locked for a long time, so owners could not renew. They get two rounds to do so. */
  fileWasLocked(): void {
    this.distrustFor(2 * this.round);
  }

  /** Whether a lease that seems to have ended can be trusted to have ended. */
  canTrustLeases(): boolean {
    const skew = this.clock.now() - this.steady();
    const wasSet = Math.abs(skew - this.skew) > this.round;
    this.skew = skew;
    if (wasSet) {
      this.distrustFor(this.lease);
      this.clockSet();
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
