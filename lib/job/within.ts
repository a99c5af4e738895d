import type { Clock } from './clock.js';

/** What the promise resolves with, unless that takes longer: then it rejects, with `late`. */
export function within<T>(
  ms: number,
  clock: Clock,
  promise: Promise<T>,
  late: () => Error = () => new Error(`no answer within ${ms} ms`),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()), { background: true });
    promise.then(resolve, reject).finally(cancel);
  });
}
