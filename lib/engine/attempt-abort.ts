import type { AbortHandle } from './engine.interface.js';

/** The usual {@link AbortHandle}: it allocates nothing until somebody asks or aborts. */
export class AttemptAbort implements AbortHandle {
  aborted = false;
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

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const listener of this.listeners ?? []) listener(reason);
    this.listeners = null;
  }

  onAbort(listener: (reason: unknown) => void): void {
    if (this.aborted) listener(this.reason);
    else (this.listeners ??= []).push(listener);
  }
}
