import type { Clock } from '../job/clock.js';

/** An abort that creates its `AbortSignal` only when code asks for it: most attempts never do. */
export class LazyAbort {
  aborted = false;
  /** The reason given to {@link abort}; `undefined` before. */
  reason: unknown = undefined;
  private controller: AbortController | null = null;
  private listeners: ((reason: unknown) => void)[] | null = null;

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const listener of this.listeners ?? []) listener(reason);
    this.listeners = null;
  }

  /** Calls `listener` at the abort, or at once if it was aborted before. Creates no `AbortSignal`. */
  onAbort(listener: (reason: unknown) => void): void {
    if (this.aborted) listener(this.reason);
    else (this.listeners ??= []).push(listener);
  }
}

/** Resolves after `ms` milliseconds, or at once when `end` is aborted. */
export function pauseUntil(end: LazyAbort, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancelTimer = clock.after(ms, resolve);
    end.onAbort(() => {
      cancelTimer();
      resolve();
    });
  });
}
