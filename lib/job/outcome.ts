import { type Attempt, type AttemptError, type TaskStatus, waitingStatus } from './job.js';

/** The end of one attempt. Times are relative, since the clocks of a fleet differ. */
export type Outcome =
  | { readonly kind: 'success'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: AttemptError }
  | { readonly kind: 'retry'; readonly error: AttemptError; readonly delay: number }
  | { readonly kind: 'snoozed'; readonly delay: number }
  /** The method waits, and holds no worker meanwhile. */
  | {
      readonly kind: 'suspended';
      /** `null`: until an entry is posted to the journal. */
      readonly delay: number | null;
      /** The number of posted entries that the attempt has seen: if there are more, the job waits no longer. */
      readonly seen: number;
    }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** The attempt does not count: this process does not know the task, or could not finish it. */
  | { readonly kind: 'released'; readonly delay: number };

/** The stored state of a job after an attempt: all fields that an outcome can change. */
export interface NextState {
  readonly status: Exclude<TaskStatus, 'running'>;
  readonly retries: number;
  readonly errors: readonly AttemptError[];
  /** `null` unless the job has succeeded. */
  readonly result: unknown;
  /** Why the job was cancelled; `null` if it was not. */
  readonly reason: string | null;
  /** Milliseconds since the epoch; `null` if the job waits again. */
  readonly finishedAt: number | null;
  /** Milliseconds until a waiting job is due; 0 for now, `Infinity` for a suspended job that comes due by a message only. */
  readonly delay: number;
  /** Whether a waiting job runs before jobs of the same priority: it was submitted before them. */
  readonly first: boolean;
}

/** Whether the job waits after the outcome. */
export function waitsAgain({ kind }: Outcome): boolean {
  return kind === 'retry' || kind === 'snoozed' || kind === 'suspended' || kind === 'released';
}

/** How many errors a job keeps; the oldest ones are dropped first. */
export const MAX_ERRORS = 10;

/** The errors of a job after one more attempt has failed. */
export function errorsAfter(errors: readonly AttemptError[], latest: AttemptError): AttemptError[] {
  return [...errors.slice(1 - MAX_ERRORS), latest];
}

/**
 * Applies an outcome to the job of an attempt. Every engine stores jobs by this rule.
 *
 * @param posts The number of entries that were ever posted to the job's journal.
 */
export function nextState(
  { retries, errors }: Pick<Attempt, 'retries' | 'errors'>,
  outcome: Outcome,
  now: number,
  posts = 0,
): NextState {
  switch (outcome.kind) {
    case 'success':
      return finished('success', retries, errors, outcome.result, null, now);
    case 'failed':
      return finished('failed', retries, errorsAfter(errors, outcome.error), null, null, now);
    case 'cancelled':
      return finished('cancelled', retries, errors, null, outcome.reason, now);
    case 'retry':
      return waiting(retries + 1, errorsAfter(errors, outcome.error), outcome.delay, false);
    case 'snoozed':
      return waiting(retries, errors, outcome.delay, false);
    case 'suspended':
      return posts > outcome.seen
        ? waiting(retries, errors, 0, false)
        : { ...waiting(retries, errors, outcome.delay ?? Infinity, false), status: 'suspended' };
    case 'released':
      return waiting(retries, errors, outcome.delay, true);
  }
}

function finished(
  status: 'success' | 'failed' | 'cancelled',
  retries: number,
  errors: readonly AttemptError[],
  result: unknown,
  reason: string | null,
  finishedAt: number,
): NextState {
  return { status, retries, errors, result, reason, finishedAt, delay: 0, first: false };
}

function waiting(retries: number, errors: readonly AttemptError[], delay: number, first: boolean): NextState {
  const status = waitingStatus(retries);
  return { status, retries, errors, result: null, reason: null, finishedAt: null, delay, first };
}
