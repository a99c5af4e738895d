// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import { detached } from '../../job/async.js';

/** Milliseconds of one turn of the event loop in which attempts may start. */
const BUDGET_MS = 1;
/** Attempts that start in one turn, if the clock stands still, as in tests. */
const MAX_STARTS = 1_024;

/**
 * Limits the attempts that start in one turn of the event loop. Promises settle before the loop
 * turns, so without a limit a long queue of short jobs would keep timers and sockets waiting.
 */
export class LoopBudget {
  private startedAt = -1;
  private starts = 0;
  private spent = false;

  /** @param resume Called at the next turn, if the budget of this turn was spent. */
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
    const wasSpent = this.spent;
    this.startedAt = -1;
    this.spent = false;
    if (wasSpent) this.resume();
  };
}
