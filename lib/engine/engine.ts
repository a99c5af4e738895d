import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import type { FlowrraEvent } from '../job/events.js';
import type { Accepted, Attempt, JobRow, NewJob } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { BackPressure, ResolvedQueue, Retention } from '../job/queue.js';
import type { JobControl } from './control.js';
import type { ResultBackend } from '../results/result-backend.js';

/**
 * Where jobs wait, and what hands them to workers. The engine owns storage and delivery; what an
 * outcome means (retry, fail, give back) is decided by the core before the engine hears of it.
 */
export interface Engine {
  /** For logs and errors: `memory`, `sqlite`, … */
  readonly name: string;
  /** Whether jobs outlive the process. */
  readonly durable: boolean;
  /** Results as the engine keeps them by itself. */
  readonly results: ResultBackend;
  /** What is done to jobs and queues from outside, and what is asked about them. */
  readonly control: JobControl;
  /** Opens connections and storage. Afterwards `enqueue` works; a producer stops here. */
  connect(host: EngineHost): MaybePromise<void>;
  /** Starts handing out jobs. */
  consume(): MaybePromise<void>;
  /**
   * Hands out no more, then settles once nothing is running: attempts get `graceMs` to finish,
   * then their signal is aborted, and what is still running `killMs` later is given back without
   * burning an attempt. A running attempt may still enqueue. An engine that would lose its
   * waiting jobs runs them first, within `graceMs`, and reports how many it had to drop.
   */
  drain(graceMs: number, killMs: number): Promise<DrainReport>;
  /** Stores one job, or finds the one that has its id or its key; resolves when what the engine promises to keep is kept. */
  enqueue(job: NewJob): MaybePromise<Accepted>;
  /** The same for many, in one go. */
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<Accepted[]>;
  /** How many jobs are unfinished and not running: waiting, delayed, retrying. */
  pendingCount(): MaybePromise<number>;
  /** Releases everything. Waiters for results that can no longer come are rejected. */
  close(): MaybePromise<void>;
}

/** What the core gives an engine. */
export interface EngineHost {
  readonly queues: readonly ResolvedQueue[];
  readonly clock: Clock;
  readonly retention: Retention;
  readonly backPressure: BackPressure;
  /** Aborted when the application closes, also while `connect` or `consume` still waits for something. */
  readonly closing: AbortSignal;
  /** Runs an attempt and says what became of it. Never throws, never rejects. */
  execute(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome>;
  /** How long an attempt may take to end after its job was cancelled, in milliseconds. */
  killGrace(attempt: Attempt): number;
  /**
   * What becomes of an attempt that was cancelled and has not ended within its {@link killGrace}. What it
   * still answers is not to count.
   */
  overdue(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome>;
  /** To be called once the outcome has been stored: observers are told. */
  settled(attempt: Attempt, outcome: Outcome): void;
  /** To be called when a job has been cancelled and is over, though neither an attempt nor `control.cancel` has said so. */
  cancelled(job: JobRow): void;
  /** What another process has done, for an engine that can tell of the whole fleet and was asked to. */
  heard(event: FlowrraEvent): void;
}

export interface DrainReport {
  /** Attempts that were still running at the end and were given back, or, where nothing outlives the process, lost. */
  readonly unfinished: number;
  /** Jobs that were waiting and are lost, since the engine keeps nothing. */
  readonly dropped: number;
}

/** How the engine reaches a running attempt. */
export interface AbortHandle {
  /** Made when first asked for: most attempts never do. */
  readonly signal: AbortSignal;
  readonly aborted: boolean;
  /** What `abort` was called with; `undefined` before. */
  readonly reason: unknown;
  /** Why the job has been cancelled; `null` if it has not. It may have been aborted for another reason before. */
  readonly cancelReason: string | null;
  /** Whether its outcome has been decided without it: what it still answers counts for nothing. Set by the core. */
  overruled: boolean;
  /** Told what the code has thrown, as it is, for whoever wants more than its description. */
  threw?(error: unknown): void;
  abort(reason: unknown): void;
  /** Calls `listener` at the abort, or at once if that has been; costs no `AbortSignal`. */
  onAbort(listener: (reason: unknown) => void): void;
}
