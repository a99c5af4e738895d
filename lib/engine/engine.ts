import type { Clock } from '../job/clock.js';
import type { FlowrraEvent } from '../run/event-hub.js';
import type { PolicyOverrides, ResolvedQueue } from '../nest/options/resolved-options.js';
import type { JobControl, JobInfo } from './control.js';
import type { ResultBackend } from '../results/result-backend.js';

/** What is a promise only where an engine has to wait. Nobody awaits what is no promise. */
export type MaybePromise<T> = T | Promise<T>;

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

/** The id of a job that was submitted; or of the one that stands in its place. */
export type Accepted = string | Duplicate;

/** Nothing was added, since another job has the same id or the same key. */
export class Duplicate {
  constructor(readonly taskId: string) {}
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
  cancelled(job: JobInfo): void;
  /** What another process has done, for an engine that can tell of the whole fleet and was asked to. */
  heard(event: FlowrraEvent): void;
}

export interface Retention {
  /** Milliseconds. */
  readonly resultTtl: number;
  readonly maxResults: number;
}

export interface BackPressure {
  /** `Infinity` for no bound. */
  readonly maxPending: number;
  readonly whenFull: 'wait' | 'reject';
}

export interface DrainReport {
  /** Attempts that were still running at the end and were given back, or, where nothing outlives the process, lost. */
  readonly unfinished: number;
  /** Jobs that were waiting and are lost, since the engine keeps nothing. */
  readonly dropped: number;
}

/** A job as it is submitted. Routing is fixed here; policy is the worker's, unless overridden. */
export interface NewJob {
  /** `undefined`: the engine mints one. */
  readonly taskId: string | undefined;
  readonly taskName: string;
  readonly queue: string;
  readonly priority: number;
  /** Milliseconds until it is due, 0 for now. */
  readonly delay: number;
  /** Checked plain data that nobody else holds. */
  readonly args: readonly unknown[];
  readonly overrides: PolicyOverrides | undefined;
  /** Checked plain data of the submitter's own, which travels with the job. */
  readonly metadata: Metadata | undefined;
  readonly dedupe: Dedupe | undefined;
  /** Whether `maxPending` is not for it. */
  readonly exempt?: boolean;
}

/** Whether no other job can stand in the place of this one. */
export function isPlain({ taskId, dedupe }: NewJob): boolean {
  return taskId === undefined && dedupe === undefined;
}

export type Metadata = Readonly<Record<string, unknown>>;

/**
 * Jobs of one key stand for each other. The latest that was added holds it, as its own mode says:
 * - `ignore`, `debounce`: until it has ended, and again from when it is put back into line, unless
 *   another one holds it then;
 * - `throttle`: for `ttl` from its submission, whatever becomes of it.
 *
 * Meanwhile no other one is added. One with `debounce` gives its arguments, options and metadata to the
 * job that holds the key, whose delay begins anew; its id, its priority and its mode stay. If that is
 * not delayed, or was ever started, the newcomer is added, and holds the key from then on. The `delay`
 * of a job with `debounce` is its `ttl`.
 */
export interface Dedupe {
  /** Unique among all tasks: it begins with the task's name. At most 600 characters. */
  readonly key: string;
  readonly mode: 'ignore' | 'throttle' | 'debounce';
  /** Milliseconds; 0 for `ignore`. */
  readonly ttl: number;
}

/** One execution of a job, handed out by the engine. */
export interface Attempt {
  readonly taskId: string;
  readonly taskName: string;
  readonly queue: string;
  readonly priority: number;
  /** Milliseconds since the epoch. */
  readonly submittedAt: number;
  /** Retries made before this attempt: its number, less one. */
  readonly retries: number;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What earlier attempts threw, oldest first, capped. */
  readonly errors: readonly AttemptError[];
  /** Whether so many workers have died with the job that it is to fail without being run once more. */
  readonly lost: boolean;
  /** A fresh copy for this attempt, which may change it at will. */
  args(): unknown[];
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

/** What became of an attempt. Times are relative, since the clocks of a fleet differ. */
export type Outcome =
  | { readonly kind: 'success'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: AttemptError }
  | { readonly kind: 'retry'; readonly error: AttemptError; readonly delay: number }
  | { readonly kind: 'snoozed'; readonly delay: number }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** Given back: it was not this process's to run, or it could not finish it. */
  | { readonly kind: 'released'; readonly delay: number };

/** What an attempt threw, as plain data. */
export interface AttemptError {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The error's class, such as `TypeError`. */
  readonly name: string;
  /** Cut after 4,000 characters. */
  readonly message: string;
  /** The error's `code`, if it had one. */
  readonly code: string | null;
  /** Cut after 8,000 characters; `null` if it had none. */
  readonly stack: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
}
