import { type MaybePromise, whenDone } from '../job/async.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { NewJob } from '../job/job.js';
import type { TransactionSink } from './connected-outbox.js';
import type { KnownConnection } from './connection/sql-connection.js';

export interface JobWriter {
  /** Whether `write` returns the ids themselves if the transaction is synchronous. */
  readonly sync: boolean;
  /** Writes jobs into a transaction. Returns their ids: a job without one gets one. */
  write(transaction: KnownConnection, jobs: readonly NewJob[]): MaybePromise<string[]>;
}

/** Accepts jobs in a transaction. */
export class DatabaseSink implements TransactionSink {
  /** @param place The place of the call, for errors. */
  constructor(
    private readonly transaction: KnownConnection,
    private readonly place: string,
    private readonly writer: JobWriter,
  ) {}

  get isSync(): boolean {
    return this.transaction.sync && this.writer.sync;
  }

  get library(): string {
    return this.transaction.library;
  }

  enqueue(job: NewJob): MaybePromise<string> {
    return whenDone(this.enqueueMany([job]), ([taskId]) => taskId as string);
  }

  /** @throws {FlowrraConfigError} if the transaction has ended while pipes and schemas checked the arguments. */
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<string[]> {
    const { transaction, place } = this;
    if (transaction.isInTransaction() === false) throw notInTransaction(place, transaction.library);
    return this.writer.write(transaction, jobs);
  }
}

export function notInTransaction(place: string, library: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `${place}: this object of ${library} is in no transaction, or the transaction has ended. Give the transaction itself, such as the argument of the function that ${library} runs in a transaction, and await each call inside of that function.`,
  );
}
