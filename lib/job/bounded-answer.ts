import { within } from './async.js';
import type { Clock } from './clock.js';

/**
 * Asks an engine or a database within a time limit. There is at most one question at a time, even if no answer arrives
 * and the question is asked again.
 */
export class BoundedAnswer<T> {
  private asking: Promise<T> | null = null;

  constructor(
    private readonly ask: () => Promise<T>,
    private readonly clock: Clock,
  ) {}

  /** Rejects with the error of the question, or after `ms` milliseconds. */
  within(ms: number): Promise<T> {
    this.asking ??= this.ask().finally(() => (this.asking = null));
    return within(ms, this.clock, this.asking);
  }
}
