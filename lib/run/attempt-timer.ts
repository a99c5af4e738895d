import { detached } from '../job/async.js';
import type { Clock } from '../job/clock.js';

/** The timer of an attempt: of its time-out, and then of the grace after the time-out or the cancellation. */
export class AttemptTimer {
  private inGrace = false;
  private cancel: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  startTimeout(ms: number, over: () => void): void {
    if (!this.inGrace) this.cancel = this.clock.after(ms, over);
  }

  /** Once: if the attempt times out and is cancelled, the grace of the first counts. */
  startGrace(ms: number, over: () => void): void {
    if (this.inGrace) return;
    this.inGrace = true;
    this.cancel?.();
    this.cancel = detached(() => this.clock.after(ms, over));
  }

  clear(): void {
    this.cancel?.();
    this.cancel = null;
    this.inGrace = false;
  }
}
