import type { Capability, ConnectedEngine } from '../engine/engine.js';
import type { JobControl } from '../engine/control.js';
import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import type { NewJob } from '../job/job.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import type { BackPressure, Retention } from '../job/queue.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { IdentifiedJob } from './outbox-job.js';

/** The return value of `outbox()`, for `forRoot({ outbox })`. */
export interface Outbox {
  /** Checks the database, and creates the tables if the options say so. */
  connect(host: OutboxHost): Promise<ConnectedOutbox>;
}

/** Settings and services for an outbox. */
export interface OutboxHost {
  readonly engine: ConnectedEngine;
  readonly supports: ReadonlySet<Capability>;
  readonly clock: Clock;
  readonly codec: PayloadCodec;
  readonly retention: Retention;
  readonly backPressure: BackPressure;
  /** Whether this is a CPU thread, which only submits. */
  readonly isThread: boolean;
  /** Hands jobs to the engine and tells of them. Returns the ids of the jobs that stand for them. */
  submit(jobs: readonly IdentifiedJob[]): Promise<readonly string[]>;
  /** Cancels a job in the engine, records that, and tells of it. */
  cancel(taskId: string, reason: string): Promise<unknown>;
}

/** The outbox of one connected application. */
export interface ConnectedOutbox {
  readonly stuck: StuckList;
  /**
   * Accepts jobs in a transaction.
   *
   * @param place The place of the call, for errors.
   * @throws {FlowrraConfigError} unless it is a transaction of the outbox's database.
   */
  within(transaction: unknown, place: string): TransactionSink;
  /** Accepts jobs in the transaction of the calling code; `null` if it runs in none. */
  joined(): TransactionSink | null;
  /** A block of a job that takes effect once. */
  once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown>;
  /** The same with a library that is not asynchronous. */
  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown;
  /** The results of the engine, with jobs that no relay has handed on yet. */
  results(engine: ResultBackend): ResultBackend;
  /** The control of the engine, with jobs that no relay has handed on yet. */
  control(engine: JobControl): JobControl;
  /**
   * Waits until the engine has a job that is committed, or another one that stands for it.
   *
   * @returns the id to ask the engine for: the given one, if the outbox does not have the job.
   * @throws {TaskTimeoutError} if no relay has handed it on within ten seconds.
   */
  untilRelayed(taskId: string): Promise<string>;
  /** Starts the relay. */
  start(): void;
  /** Resolves when nothing is being handed to the engine any more. */
  stop(): Promise<void>;
  /** Hands all committed jobs to the engine. Returns their number. */
  relay(): Promise<number>;
  health(): Promise<OutboxHealth>;
}

/** Accepts jobs in a transaction of the application. They exist from its commit on. */
export interface TransactionSink {
  /** Whether a job is stored when the call returns. */
  readonly isSync: boolean;
  /** The library of the transaction, for errors. */
  readonly library: string;
  enqueue(job: NewJob): MaybePromise<string>;
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<string[]>;
}

/** The jobs that no relay tries to hand on any more. */
export interface StuckList {
  list(): Promise<StuckJob[]>;
  retry(taskId: string): Promise<boolean>;
  remove(taskId: string): Promise<boolean>;
}

/** A job that a relay could not hand to the engine, after several tries. */
export interface StuckJob {
  readonly taskId: string;
  /** `null` if this version of Flowrra cannot read the row. */
  readonly taskName: string | null;
  readonly submittedAt: Date;
  readonly tries: number;
  /** The error of the last try. */
  readonly error: string;
}

/** The state of an outbox. */
export interface OutboxHealth {
  /** How long the oldest job has waited for a relay, in milliseconds; `null` if none waits. */
  readonly oldestMs: number | null;
  /** The number of jobs that no relay tries to hand on any more. */
  readonly stuck: number;
}
