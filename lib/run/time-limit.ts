import type { AbortHandle } from '../engine/engine.js';
import type { TaskPolicy } from '../job/policy.js';
import type { Clock } from '../job/clock.js';
import { TaskRunTimeoutError } from '../job/errors.js';

/**
 * Holds an attempt to its `timeout`: then its signal is aborted, and if it has not ended `killGrace`
 * later, it counts as failed. What it returns within that grace still counts: the work was done.
 */
export function limitTime(
  running: Promise<unknown>,
  policy: TaskPolicy,
  abort: AbortHandle,
  clock: Clock,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timedOut: TaskRunTimeoutError | null = null;
    let cancel = clock.after(policy.timeout, () => {
      timedOut = new TaskRunTimeoutError(
        `The attempt ran for longer than its timeout of ${policy.timeout} ms`,
      );
      cancel = clock.after(policy.killGrace, () => reject(timedOut));
      abort.abort(timedOut);
    });
    running.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(timedOut === null ? error : new TaskRunTimeoutError(timedOut.message, { cause: error }));
      },
    );
  });
}
