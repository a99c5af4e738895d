import { type Duration, parseDuration } from './duration.js';

/**
 * How long to wait before a retry.
 * - `'fixed'`: `retryDelay` each time.
 * - `'exponential'`: `retryDelay`, doubled at each further retry, up to `maxRetryDelay`.
 * - a function: given the number of the attempt that failed (from 1) and what it threw, it
 *   returns the delay.
 */
export type Backoff = 'fixed' | 'exponential' | ((attempt: number, error: unknown) => Duration);

/** A task's policy, complete. Times in milliseconds; `timeout` is `Infinity` for none. */
export interface TaskPolicy {
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoff: Backoff;
  readonly maxRetryDelay: number;
  readonly jitter: boolean;
  readonly timeout: number;
  readonly killGrace: number;
  /** How long after its submission an attempt may still be started; `Infinity` for no limit. */
  readonly expires: number;
  /** The task that handles jobs that failed for good; `null` for none. */
  readonly deadLetter: string | null;
}

/** The part of a policy that one job may override. It travels with the job as plain data. */
export interface PolicyOverrides {
  readonly maxRetries?: number;
  readonly retryDelay?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly timeout?: number;
  readonly expires?: number;
  /** From when `expires` counts, if not from the submission: milliseconds since the epoch. */
  readonly validFrom?: number;
}

/** Where and how one task runs, from the options of `@Task()` or `register()`. */
export interface ResolvedTask {
  readonly name: string;
  readonly queue: string;
  readonly cpuBound: boolean;
  readonly policy: TaskPolicy;
}

/** A task's policy as it holds for one job. */
export function effectivePolicy(policy: TaskPolicy, overrides: PolicyOverrides | undefined): TaskPolicy {
  return overrides === undefined ? policy : { ...policy, ...overrides };
}

/**
 * The delay before the next attempt, in whole milliseconds.
 *
 * @param attempt The number of the attempt that failed, from 1.
 * @param error What it threw, for a backoff function.
 * @param random Draws from [0, 1) for jitter.
 * @throws What a backoff function throws, or `FlowrraConfigError` if it returns no duration.
 */
export function retryDelay(
  policy: TaskPolicy,
  attempt: number,
  error: unknown,
  random: () => number,
): number {
  const delay = plannedDelay(policy, attempt, error);
  return policy.jitter ? Math.floor(random() * (delay + 1)) : delay;
}

function plannedDelay(
  { backoff, retryDelay: base, maxRetryDelay }: TaskPolicy,
  attempt: number,
  error: unknown,
): number {
  if (typeof backoff === 'function') {
    const answer: unknown = backoff(attempt, error);
    // A promise is no duration; what it may reject with is nobody's to handle.
    if (answer instanceof Promise) answer.catch(() => undefined);
    return parseDuration(answer, 'What the backoff function returned');
  }
  if (backoff === 'fixed') return base;
  // 2 ** 1100 is Infinity, and 0 * Infinity no number.
  return base === 0 ? 0 : Math.min(maxRetryDelay, base * 2 ** (attempt - 1));
}
