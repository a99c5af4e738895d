export const DEFAULT_QUEUE = 'default';
export const CPU_QUEUE = 'cpu';

/** A queue's settings, checked. */
export interface ResolvedQueue {
  readonly name: string;
  /** Attempts that this process runs at a time. */
  readonly concurrency: number;
  /** Attempts that all processes together run at a time; `Infinity` for no limit. */
  readonly fleetConcurrency: number;
  /** Attempts that this process starts; `null` for no limit. */
  readonly rateLimit: RateLimit | null;
  /** Attempts that all processes together start; `null` for no limit. */
  readonly fleetRateLimit: RateLimit | null;
}

/** At most `max` starts within `per` milliseconds from the first of them. */
export interface RateLimit {
  readonly max: number;
  readonly per: number;
}

/** How long finished jobs are kept. */
export interface Retention {
  /** Milliseconds. */
  readonly resultTtl: number;
  readonly maxResults: number;
}

/** The limit of jobs that wait. */
export interface BackPressure {
  /** `Infinity` for no limit. */
  readonly maxPending: number;
  readonly whenFull: 'wait' | 'reject';
}

/** Counts starts in windows of time. A window begins with the first start after the end of the previous one. */
export class RateWindow {
  private used = 0;
  private end = -Infinity;

  constructor(private readonly limit: RateLimit) {}

  /** The end of the current window, in milliseconds since the epoch. */
  get endsAt(): number {
    return this.end;
  }

  /** The number of starts that are allowed now. */
  left(now: number): number {
    return this.isOver(now) ? this.limit.max : Math.max(0, this.limit.max - this.used);
  }

  take(count: number, now: number): void {
    if (count === 0) return;
    if (this.isOver(now)) {
      this.end = now + this.limit.per;
      this.used = 0;
    }
    this.used += count;
  }

  /** True also if the clock was set back, which must not make a window longer. */
  private isOver(now: number): boolean {
    return now >= this.end || now < this.end - this.limit.per;
  }
}
