import { Logger } from '@nestjs/common';
import { OutboxError, QueueFullError } from '../job/errors.js';
import { printed } from '../job/show-value.js';

/** The pause after the engine or the database did not answer; it doubles up to the longest one. */
const AWAY_MS = 250;
const MAX_AWAY_MS = 5_000;

/** The time in which the engine or the database does not answer: how long the relay pauses, and a warning at its start. */
export class Outage {
  private readonly logger = new Logger('Flowrra');
  /** How often in turn the engine or the database did not answer. */
  private failures = 0;
  /** Of which the warning tells, until all is well again. */
  private of: 'engine' | 'database' | null = null;

  /** In milliseconds. */
  get pause(): number {
    return Math.min(AWAY_MS * 2 ** Math.min(this.failures, 10), MAX_AWAY_MS);
  }

  /** @returns the pause before the next try, in milliseconds. */
  failed(error: unknown, isStopped: boolean): number {
    const ms = this.pause;
    this.failures++;
    if (this.of !== null || isStopped || error instanceof QueueFullError) return ms;
    this.of = error instanceof OutboxError ? 'database' : 'engine';
    this.logger.warn(
      `The outbox cannot hand jobs to the engine. They stay in the database, and are tried again: ${printed(error)}`,
    );
    return ms;
  }

  /** The jobs that an engine refused are put off, so that only their submission shows whether it is back. */
  databaseAnswered(): void {
    if (this.of === 'database') this.over();
  }

  over(): void {
    if (this.of !== null) this.logger.log('The outbox hands on jobs again.');
    this.of = null;
    this.failures = 0;
  }
}
