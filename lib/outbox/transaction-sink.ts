import { randomBytes } from 'node:crypto';
import type { TransactionalSubmit } from '../engine/transactional-submit.js';
import { type MaybePromise, whenDone } from '../job/async.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { NewJob } from '../job/job.js';
import type { KnownConnection } from './connection/sql-connection.js';
import type { IdentifiedJob } from './outbox-job.js';

export interface TransactionSinkParts {
  /** The place of the call, for errors: `flowrra.within()`. */
  readonly place: string;
  /** Writes the jobs into the transaction. */
  write(transaction: KnownConnection, jobs: readonly IdentifiedJob[]): MaybePromise<void>;
}

/** Accepts jobs in a transaction of the application. They exist from its commit on. */
export class TransactionSink {
  constructor(
    private readonly transaction: KnownConnection,
    private readonly parts: TransactionSinkParts,
  ) {}

  /** Whether a job is stored when the call returns. */
  get isSync(): boolean {
    return this.transaction.sync;
  }

  get library(): string {
    return this.transaction.library;
  }

  enqueue(job: NewJob): MaybePromise<string> {
    const identified = withId(job);
    return whenDone(this.write([identified]), () => identified.taskId);
  }

  enqueueMany(jobs: readonly NewJob[]): MaybePromise<string[]> {
    const identified = jobs.map(withId);
    return whenDone(this.write(identified), () => identified.map(({ taskId }) => taskId));
  }

  /** @throws {FlowrraConfigError} if the transaction has ended meanwhile. */
  private write(jobs: readonly IdentifiedJob[]): MaybePromise<void> {
    const { transaction, parts } = this;
    if (transaction.isInTransaction() === false) throw notInTransaction(parts.place, transaction.library);
    return parts.write(transaction, jobs);
  }
}

/** @throws {FlowrraConfigError} if the engine cannot add one of the jobs in a transaction. */
export function writeDirectly(engine: TransactionalSubmit): TransactionSinkParts['write'] {
  return (transaction, jobs) => engine.submit(transaction, jobs);
}

export function notInTransaction(place: string, library: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `${place}: this object of ${library} is in no transaction, or the transaction has ended. Give the transaction itself, such as the argument of the function that ${library} runs in a transaction, and await each submission inside of that function.`,
  );
}

function withId(job: NewJob): IdentifiedJob {
  return { ...job, taskId: job.taskId ?? `j${randomBytes(17).toString('base64url')}` };
}
