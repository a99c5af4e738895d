import type { Clock } from '../job/clock.js';
import { TaskTimeoutError } from '../job/errors.js';
import type { FinishedTaskResult } from '../job/task-result.js';
import type { WaitOptions } from './result-backend.js';

/** Takes the awaited result, or a rejection if there will be none. */
export type Waiter = (result: FinishedTaskResult | Promise<never>) => void;

/**
 * Waits for a result with a time-out and a signal. It removes all its timers and listeners at the end.
 *
 * @param aborts Shared by all waits of a backend, so that waits on one signal share a listener.
 * @param subscribe Arranges that the waiter gets the result. Returns a function that undoes this.
 */
export function waitUntil(
  taskId: string,
  { timeout, signal }: WaitOptions,
  clock: Clock,
  aborts: AbortListeners,
  subscribe: (waiter: Waiter) => () => void,
): Promise<FinishedTaskResult> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const cleanups: (() => void)[] = [];
    const end = (finish: () => void): void => {
      for (const cleanup of cleanups.splice(0)) cleanup();
      finish();
    };
    cleanups.push(subscribe((result) => end(() => resolve(result))));
    if (timeout !== undefined) {
      const late = (): Error =>
        new TaskTimeoutError(
          `${taskId} was not finished within ${timeout} ms. The job continues; wait again, or ask with getResult.`,
        );
      cleanups.push(clock.after(timeout, () => end(() => reject(late()))));
    }
    if (signal) {
      cleanups.push(aborts.add(signal, () => end(() => reject(signal.reason as Error))));
    }
  });
}

/**
 * Calls any number of functions when a signal aborts, with one listener for each signal: Node warns of a leak if a
 * signal has more than ten.
 */
export class AbortListeners {
  private readonly bySignal = new WeakMap<AbortSignal, AbortListener>();

  /** Returns a function that removes the call. */
  add(signal: AbortSignal, aborted: () => void): () => void {
    let listener = this.bySignal.get(signal);
    if (listener === undefined) {
      listener = new AbortListener(signal, () => this.bySignal.delete(signal));
      this.bySignal.set(signal, listener);
    }
    return listener.add(aborted);
  }
}

/** The listener on one signal. It is removed with its last function. */
class AbortListener {
  private readonly callbacks = new Set<() => void>();

  constructor(
    private readonly signal: AbortSignal,
    private readonly removed: () => void,
  ) {
    signal.addEventListener('abort', this.call, { once: true });
  }

  add(aborted: () => void): () => void {
    this.callbacks.add(aborted);
    return () => {
      if (!this.callbacks.delete(aborted) || this.callbacks.size > 0) return;
      this.signal.removeEventListener('abort', this.call);
      this.removed();
    };
  }

  private readonly call = (): void => {
    for (const aborted of this.callbacks) aborted();
  };
}
