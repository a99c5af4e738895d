import type { RateLimit } from '../options/resolved-options.js';

/** Counts starts within windows of time, each of which begins with the first start after the last one. */
export class RateWindow {
  private used = 0;
  private end = -Infinity;

  constructor(private readonly limit: RateLimit) {}

  /** When the present window ends, in milliseconds since the epoch. */
  get endsAt(): number {
    return this.end;
  }

  /** How many may start now. */
  left(now: number): number {
    // A clock that was set back must not make a window longer.
    const over = now >= this.end || now < this.end - this.limit.per;
    return over ? this.limit.max : Math.max(0, this.limit.max - this.used);
  }

  take(count: number, now: number): void {
    if (count === 0) return;
    if (now >= this.end || now < this.end - this.limit.per) {
      this.end = now + this.limit.per;
      this.used = 0;
    }
    this.used += count;
  }
}
