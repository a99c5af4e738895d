import { type MaybePromise, whenDone } from '../job/async.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { NewJob } from '../job/job.js';
import type { KnownConnection } from './connection/sql-connection.js';

export interface TransactionSinkParts {
  /** The place of the call, for errors: `flowrra.within()`. */
  readonly place: string;
  /** Whether `write` may return the ids themselves. */
  readonly sync: boolean;
  /** Writes the jobs into the transaction. Returns their ids: a job without one gets one. */
  write(transaction: KnownConnection, jobs: readonly NewJob[]): MaybePromise<string[]>;
}

/** Accepts jobs in a transaction of the application. They exist from its commit on. */
export class TransactionSink {
  constructor(
    private readonly transaction: KnownConnection,
    private readonly parts: TransactionSinkParts,
  ) {}

  /** Whether a job is stored when the call returns. */
  get isSync(): boolean {
    return this.transaction.sync && this.parts.sync;
  }

  get library(): string {
    return this.transaction.library;
  }

  enqueue(job: NewJob): MaybePromise<string> {
    return whenDone(this.enqueueMany([job]), ([taskId]) => taskId as string);
  }

  /** @throws {FlowrraConfigError} if the transaction has ended meanwhile. */
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<string[]> {
    const { transaction, parts } = this;
    if (transaction.isInTransaction() === false) throw notInTransaction(parts.place, transaction.library);
    return parts.write(transaction, jobs);
  }
}

export function notInTransaction(place: string, library: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `${place}: this object of ${library} is in no transaction, or the transaction has ended. Give the transaction itself, such as the argument of the function that ${library} runs in a transaction, and await each submission inside of that function.`,
  );
}
