import type { Clock } from '../core/clock.js';
import { detached } from '../core/detached.js';
import { TaskCancelledError } from '../core/errors.js';
import type { AbortHandle } from './engine.interface.js';

/** The usual {@link AbortHandle}: it allocates nothing until somebody asks or aborts. */
export class AttemptAbort implements AbortHandle {
  aborted = false;
  reason: unknown = undefined;
  cancelReason: string | null = null;
  killGrace = 0;
  overruled = false;
  private cancelTimer: (() => void) | null = null;
  private controller: AbortController | null = null;
  private listeners: ((reason: unknown) => void)[] | null = null;

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort(this.reason);
    }
    return this.controller.signal;
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
   * @param overdue Called if {@link ended} has not been within `killGrace`.
   */
  cancel(reason: string, clock: Clock, overdue: () => void): void {
    if (this.cancelReason !== null) return;
    this.cancelReason = reason;
    this.abort(new TaskCancelledError(reason));
    this.cancelTimer = detached(() => clock.after(this.killGrace, overdue));
  }

  /** To be called when the attempt is over. */
  ended(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  onAbort(listener: (reason: unknown) => void): void {
    if (this.aborted) listener(this.reason);
    else (this.listeners ??= []).push(listener);
  }
}
