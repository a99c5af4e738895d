import type { Clock } from '../job/clock.js';
import { detached } from '../job/async.js';
import { TaskCancelledError } from '../job/errors.js';
import type { AbortHandle } from '../engine/engine.js';

/** What few attempts have. */
interface Cancellation {
  readonly reason: string;
  readonly cancelTimer: () => void;
}

/** The usual {@link AbortHandle}: it allocates nothing until somebody asks or aborts. */
export class AttemptAbort implements AbortHandle {
  aborted = false;
  overruled = false;
  reason: unknown = undefined;
  private cancellation: Cancellation | null = null;
  private controller: AbortController | null = null;
  private listeners: ((reason: unknown) => void)[] | null = null;

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  get cancelReason(): string | null {
    return this.cancellation === null ? null : this.cancellation.reason;
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const listener of this.listeners ?? []) listener(reason);
    this.listeners = null;
  }

  /**
   * Aborts the attempt since its job has been cancelled.
   *
   * @param killGrace How long it may take to end, in milliseconds.
   * @param overdue Called if {@link ended} has not been by then.
   */
  cancel(reason: string, killGrace: number, clock: Clock, overdue: () => void): void {
    if (this.cancellation !== null) return;
    this.cancellation = { reason, cancelTimer: detached(() => clock.after(killGrace, overdue)) };
    this.abort(new TaskCancelledError(reason));
  }

  /** To be called when the attempt is over. */
  ended(): void {
    if (this.cancellation !== null) this.cancellation.cancelTimer();
  }

  onAbort(listener: (reason: unknown) => void): void {
    if (this.aborted) listener(this.reason);
    else (this.listeners ??= []).push(listener);
  }
}
