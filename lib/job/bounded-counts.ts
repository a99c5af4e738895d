import type { QueueCounts } from './query.js';
import type { Clock } from './clock.js';
import { within } from './async.js';

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
