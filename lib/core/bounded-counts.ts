import type { QueueCounts } from '../engine/job-control.interface.js';
import type { Clock } from './clock.js';

/**
 * Asks an engine for its counts without ever waiting for longer than is said. One question is out at
 * a time, however often an engine that does not answer is asked.
 */
export class BoundedCounts {
  private asking: Promise<readonly QueueCounts[]> | null = null;

  constructor(
    private readonly ask: () => Promise<readonly QueueCounts[]>,
    private readonly clock: Clock,
  ) {}

  /** Rejects with what the engine rejects with, or when `ms` are over. */
  within(ms: number): Promise<readonly QueueCounts[]> {
    this.asking ??= this.ask().finally(() => (this.asking = null));
    return within(ms, this.clock, this.asking);
  }
}

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
