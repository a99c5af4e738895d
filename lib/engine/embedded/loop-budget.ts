import { detached } from '../../job/async.js';

/** Milliseconds of one turn of the event loop that starting jobs may take. */
const BUDGET_MS = 1;
/** Attempts started in one turn, should the clock stand still, as it does in tests. */
const MAX_STARTS = 1_024;

/**
 * Keeps a long queue of short jobs from starving the host: promises settle before the event loop
 * turns, so a drain that only follows promises would never let a timer or a socket through.
 */
export class TimeSlice {
  private startedAt = -1;
  private starts = 0;
  private spent = false;

  /** @param resume Called at the next turn, if the last one was cut short. */
  constructor(private readonly resume: () => void) {}

  /** Whether another attempt may start in this turn. */
  take(now: number): boolean {
    if (this.spent) return false;
    if (this.startedAt < 0) {
      this.startedAt = now;
      this.starts = 0;
      detached(() => setImmediate(this.turn));
    }
    this.spent = now - this.startedAt >= BUDGET_MS || ++this.starts > MAX_STARTS;
    return !this.spent;
  }

  private readonly turn = (): void => {
    const cutShort = this.spent;
    this.startedAt = -1;
    this.spent = false;
    if (cutShort) this.resume();
  };
}
