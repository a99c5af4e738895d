import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import type { FlowrraEvent } from '../job/events.js';
import type { Accepted, Attempt, JobRow, NewJob } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { BackPressure, ResolvedQueue, Retention } from '../job/queue.js';
import type { Run } from '../run/run.js';
import type { JobControl } from './control.js';
import type { JournalStore } from './journal-store.js';
import type { ScheduleStore } from './schedule-store.js';
import type { TransactionalSubmit } from './transactional-submit.js';
import type { ResultBackend } from '../results/result-backend.js';

/** A feature that not every engine has. Flowrra checks at the start that the engine supports the features in use. */
export type Capability =
  /** Other processes may run the jobs that this process submits. */
  | 'shared'
  /** `fleetConcurrency` and `fleetRateLimit` limit all processes together. */
  | 'fleetLimits'
  /** {@link ConnectedEngine.results} */
  | 'results'
  /** {@link ConnectedEngine.control} */
  | 'control'
  /** {@link ConnectedEngine.schedules} */
  | 'schedules'
  /** {@link ConnectedEngine.journals} */
  | 'journals'
  /** {@link ConnectedEngine.transactions} */
  | 'transactions';

/** Stores jobs and delivers them to workers. A {@link Run} decides the outcome of an attempt; the engine stores it. */
export interface Engine {
  /** For logs and errors: `memory`, `sqlite`, … */
  readonly name: string;
  /** Whether jobs outlive the process. */
  readonly durable: boolean;
  readonly supports: ReadonlySet<Capability>;
  /**
   * Opens connections and storage. It may be called again after the connected engine has been closed.
   * It calls `host.run` only after {@link ConnectedEngine.consume}.
   */
  connect(host: EngineHost): MaybePromise<ConnectedEngine>;
}

/** An engine that accepts jobs. A producer never calls `consume`. */
export interface ConnectedEngine {
  /** Results as the engine stores them. Present if the engine supports `results`. */
  readonly results?: ResultBackend;
  /** Queries and operations on jobs and queues. Present if the engine supports `control`. */
  readonly control?: JobControl;
  /** The stored schedules. Present if the engine supports `schedules`. */
  readonly schedules?: ScheduleStore;
  /** The journals of durable jobs. Present if the engine supports `journals`. */
  readonly journals?: JournalStore;
  /** Adds jobs in transactions of the application. Present if the engine supports `transactions`. */
  readonly transactions?: TransactionalSubmit;
  /**
   * Stores a job, or finds the existing job with the same id or key. A promise resolves when the job
   * is as safe as the engine promises.
   */
  enqueue(job: NewJob): MaybePromise<Accepted>;
  /** Stores many jobs in one operation. */
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<Accepted[]>;
  /** The number of unfinished jobs that are neither running nor suspended: waiting, delayed, retrying. */
  pendingCount(): MaybePromise<number>;
  /**
   * Calls `changed` soon after another process may have changed an unfinished job, until the returned function is
   * called. Calls may be superfluous. They may also be missing: Flowrra reads a watched job of a shared engine each
   * second anyway.
   */
  watch?(job: Pick<JobRow, 'taskId' | 'queue'>, changed: () => void): () => void;
  /** Starts to run jobs. */
  consume(): MaybePromise<void>;
  /**
   * Starts no more jobs, and resolves when no attempt runs any more: after `graceMs` it aborts the
   * signals of running attempts, and `killMs` later it releases the jobs of attempts that still run,
   * which uses up no retry. Running attempts may still enqueue. An engine that is not durable first runs its
   * waiting jobs, within `graceMs`.
   */
  drain(graceMs: number, killMs: number): Promise<DrainReport>;
  /** Releases everything. Rejects waits for results. */
  close(): MaybePromise<void>;
}

/** Settings and services for an engine. */
export interface EngineHost {
  readonly queues: readonly ResolvedQueue[];
  readonly clock: Clock;
  readonly retention: Retention;
  readonly backPressure: BackPressure;
  /** Aborted when the application closes, also while `connect` or `consume` still waits. */
  readonly closing: AbortSignal;
  /** The run of a claimed attempt. The engine starts it, and stores its outcome. */
  run(attempt: Attempt): Run;
  notify(event: EngineEvent): void;
}

export type EngineEvent =
  /** An outcome has been stored. */
  | { readonly type: 'settled'; readonly attempt: Attempt; readonly outcome: Outcome }
  /** A job has ended as cancelled, and neither a `settled` event nor the answer of `control.cancel` tells it. */
  | { readonly type: 'cancelled'; readonly row: JobRow }
  /** An event of another process, from an engine that was asked to report the whole fleet. */
  | { readonly type: 'remote'; readonly event: FlowrraEvent };

export interface DrainReport {
  /** Attempts that still ran at the end. Their jobs are released; an engine that is not durable loses them. */
  readonly unfinished: number;
  /** Waiting jobs that are lost, since the engine is not durable. */
  readonly dropped: number;
}
