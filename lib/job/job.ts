import type { PolicyOverrides } from './policy.js';

/**
 * A job's state. A job that waits is `retrying` if it has failed before, and `suspended` if its method waits for a time,
 * a signal or another job. The last three are final.
 */
export type TaskStatus =
  'pending' | 'running' | 'retrying' | 'suspended' | 'success' | 'failed' | 'cancelled';

const FINAL: ReadonlySet<TaskStatus> = new Set(['success', 'failed', 'cancelled']);

export function isFinal(status: TaskStatus): boolean {
  return FINAL.has(status);
}

/** The status of a job that waits: `retrying` if an attempt has failed before. */
export function waitingStatus(retries: number): 'pending' | 'retrying' {
  return retries > 0 ? 'retrying' : 'pending';
}

/** The submitter's own plain data, which travels with the job. */
export type Metadata = Readonly<Record<string, unknown>>;

/** A job on its way in. Queue, priority and delay are fixed here; the policy is the worker's unless overridden. */
export interface NewJob {
  /** `undefined`: the engine generates one. */
  readonly taskId: string | undefined;
  readonly taskName: string;
  readonly queue: string;
  /** 0 to 2,097,151; lower runs first. */
  readonly priority: number;
  /** Milliseconds until the job is due; 0 for now. */
  readonly delay: number;
  /** Checked plain data, not shared with the submitter. */
  readonly args: readonly unknown[];
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  readonly dedupe: Dedupe | undefined;
  /** At most ten, each once; `undefined` for none. */
  readonly tags?: readonly string[] | undefined;
  /** Whether the job is accepted even if `maxPending` jobs wait. */
  readonly bypassMaxPending?: boolean;
}

/**
 * A job's dedupe key. Of several jobs with one key, the latest one that was added holds it, as its own mode says:
 * - `ignore`, `debounce`: until the job has ended, and again from its retry by an operator, unless
 *   another job holds the key then;
 * - `throttle`: for `ttl` from its submission, also after its end.
 *
 * While a job holds the key, no other one is added. A submission with `debounce` gives its arguments,
 * options, metadata and tags to the holder, whose delay begins anew; the holder's id, priority and mode stay.
 * If the holder is not delayed, or was ever started, the submission is added, and holds the key from
 * then on. The `delay` of a job with `debounce` is its `ttl`.
 */
export interface Dedupe {
  /** Unique among all tasks: it begins with the task's name. At most 600 characters. */
  readonly key: string;
  readonly mode: 'ignore' | 'throttle' | 'debounce';
  /** Milliseconds; 0 for `ignore`. */
  readonly ttl: number;
}

/** Whether no existing job can take the place of this one. */
export function isPlain({ taskId, dedupe }: NewJob): boolean {
  return taskId === undefined && dedupe === undefined;
}

/** The id of the job that was added, or of the existing one in its place. */
export type Accepted = string | Duplicate;

/** Nothing was added, since a job with the same id or the same key exists. */
export class Duplicate {
  /** @param taskId The id of the existing job. */
  constructor(readonly taskId: string) {}
}

/** One execution of a job, as a store hands it out. */
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
  /** The errors of earlier attempts, oldest first; at most the last ten. */
  readonly errors: readonly AttemptError[];
  /** Whether the job fails without another run, since more workers have died with it than `maxRescues` allows. */
  readonly lost: boolean;
  /** Whether an earlier attempt has appended to the job's journal; absent for no. */
  readonly isResumed?: boolean;
  /** A fresh copy for this attempt, which may change it. */
  args(): unknown[];
}

/** The error of one attempt, as plain data. */
export interface AttemptError {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The error's class, such as `TypeError`. */
  readonly name: string;
  /** Cut after 4,000 characters. */
  readonly message: string;
  /** The error's `code`; `null` if it had none. */
  readonly code: string | null;
  /** Cut after 8,000 characters; `null` if it had none. */
  readonly stack: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A job as engines store it. Times are milliseconds since the epoch. */
export interface JobRow {
  readonly taskId: string;
  readonly taskName: string;
  readonly status: TaskStatus;
  readonly queue: string;
  readonly priority: number;
  readonly submittedAt: number;
  /** When the job comes due, while it is delayed, suspended or waits for a retry; otherwise `null`. */
  readonly dueAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly retries: number;
  /** Plain data that is not shared; read only if `status` is `success`. */
  readonly result: unknown;
  readonly errors: readonly AttemptError[];
  /** Why the job was cancelled; `null` if it was not. */
  readonly reason: string | null;
  /** The progress that the task reported last; `null` for none. */
  readonly progress: unknown;
  readonly metadata: Metadata | undefined;
  /** `undefined` for none. */
  readonly tags?: readonly string[] | undefined;
  /** Names of the fields that cannot be read, and are shown empty; absent for none. */
  readonly unreadable?: readonly string[] | undefined;
  /** A copy of the arguments, for a look at one job; `null` if they are no longer kept or cannot be read. */
  readonly args?: readonly unknown[] | null;
  /** For a look at one job. */
  readonly logs?: readonly LogLine[];
}

/** The part of a job that a result backend stores. */
export type JobState = Omit<
  JobRow,
  'queue' | 'priority' | 'dueAt' | 'metadata' | 'tags' | 'unreadable' | 'args' | 'logs'
>;

/** The progress and log lines of a running attempt since its last report. */
export interface JobReport {
  /** Checked plain data, which replaces the progress reported before; `undefined` for none. */
  readonly progress: unknown;
  /** Further lines, oldest first. An engine keeps the last {@link MAX_LOG_LINES} of a job. */
  readonly lines: readonly LogLine[];
}

export const MAX_LOG_LINES = 200;

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  readonly line: string;
}
