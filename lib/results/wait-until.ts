import type { Clock } from '../job/clock.js';
import { TaskTimeoutError } from '../job/errors.js';
import type { FinishedTaskResult } from '../job/task-result.js';
import type { AbortListeners } from './abort-listeners.js';
import type { WaitOptions } from './result-backend.js';

/** Takes the result that is waited for, or the reason why it will not come. */
export type Waiter = (result: FinishedTaskResult | Promise<never>) => void;

/**
 * Waits for a result with a time-out and a signal, and leaves nothing behind however it ends.
 *
 * @param aborts Those of all waits of a backend, so that waits on one signal share a listener.
 * @param subscribe Arranges for the result, and returns what undoes that.
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
      cleanups.push(
        clock.after(timeout, () =>
          end(() =>
            reject(
              new TaskTimeoutError(
                `${taskId} was not finished within ${timeout} ms. It goes on; wait again, or ask with getResult.`,
              ),
            ),
          ),
        ),
      );
    }
    if (signal) {
      cleanups.push(aborts.add(signal, () => end(() => reject(signal.reason as Error))));
    }
  });
}
