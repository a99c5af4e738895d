import { within } from '../job/async.js';
import { type Clock, steadyTime } from '../job/clock.js';
import { OutboxError } from '../job/errors.js';
import { printed } from '../job/show-value.js';
import type { SqlDialect, SqlRow, SqlValue } from '../engine/sql-connection.js';
import type { KnownConnection } from './connection/sql-connection.js';

/** The longest time that a statement may take. */
const TIMEOUT_MS = 10_000;
/** How long a statement waits at a time, while other code has a transaction on the only connection. */
const BUSY_PAUSE_MS = 5;

/** The relay's own connection to the database of the application. */
export class OutboxDatabase {
  constructor(
    readonly connection: KnownConnection,
    private readonly clock: Clock,
  ) {}

  get dialect(): SqlDialect {
    return this.connection.dialect;
  }

  /**
   * Runs a statement outside of all transactions.
   *
   * @param late Called if the database has run the statement after the call has rejected for lack of an answer.
   * @throws {OutboxError} if the database rejects it, or does not answer.
   */
  async run(
    sql: string,
    values: readonly SqlValue[] = [],
    late?: (rows: readonly SqlRow[]) => unknown,
  ): Promise<readonly SqlRow[]> {
    // With one connection for all, the statement would see what may be rolled back, and be rolled back with it.
    if (this.connection.isInTransaction() === true) await this.untilFree();
    let running: Promise<readonly SqlRow[]> | null = null;
    try {
      const answer = this.connection.run(sql, values);
      if (Array.isArray(answer)) return answer;
      running = Promise.resolve(answer);
      return await within(TIMEOUT_MS, this.clock, running);
    } catch (cause) {
      if (late !== undefined) running?.then(late).catch(() => undefined);
      throw new OutboxError(`The database of the outbox: ${printed(cause)}`, { cause });
    }
  }

  private async untilFree(): Promise<void> {
    const end = steadyTime(this.clock) + TIMEOUT_MS;
    do {
      if (steadyTime(this.clock) >= end)
        throw new OutboxError(
          `The database of the outbox: a transaction has been open on the only connection of ${this.connection.library} for ${TIMEOUT_MS} ms. Until it ends, no other statement is possible: do not wait in it for the outbox or for a result.`,
        );
      await new Promise<void>((resolve) => this.clock.after(BUSY_PAUSE_MS, resolve));
    } while (this.connection.isInTransaction() === true);
  }
}
