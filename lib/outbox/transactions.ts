import type { SqlDialect } from '../engine/sql-connection.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { TransactionSink } from './connected-outbox.js';
import { connectionOf } from './connection/recognise.js';
import type { KnownConnection } from './connection/sql-connection.js';
import { DatabaseSink, type JobWriter, notInTransaction } from './database-sink.js';

/** The transactions of the application, as the places that are given them. */
export class Transactions {
  /**
   * @param dialect Of the outbox's database.
   * @param current Returns the transaction of the calling code; `undefined` if that is not known.
   */
  constructor(
    private readonly dialect: SqlDialect,
    private readonly writer: JobWriter,
    private readonly current: (() => unknown) | undefined,
  ) {}

  /** @throws {FlowrraConfigError} unless it is a transaction of the outbox's database. */
  of(transaction: unknown, place: string): KnownConnection {
    const known = this.connection(transaction, place);
    if (known.isInTransaction() === false) throw notInTransaction(place, known.library);
    return known;
  }

  /** Accepts jobs in a transaction. @throws {FlowrraConfigError} unless it is one of the outbox's database. */
  sink(transaction: unknown, place: string): TransactionSink {
    return new DatabaseSink(this.of(transaction, place), place, this.writer);
  }

  /** Accepts jobs in the transaction of the calling code; `null` if it runs in none. */
  joined(): TransactionSink | null {
    const transaction = this.current?.();
    if (transaction === null || transaction === undefined) return null;
    const place = 'outbox({ transaction })';
    const known = this.connection(transaction, place);
    return known.isInTransaction() === false ? null : new DatabaseSink(known, place, this.writer);
  }

  private connection(transaction: unknown, place: string): KnownConnection {
    const known = connectionOf(transaction, place);
    if (known.dialect === this.dialect) return known;
    throw new FlowrraConfigError(
      `${place}: this is a transaction of ${known.dialect}, and the outbox is in a database of ${this.dialect}. Its row must be in the database of the transaction.`,
    );
  }
}
