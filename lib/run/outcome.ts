import { Logger } from '@nestjs/common';
import { codeOf, describeError } from '../job/attempt-error.js';
import type { Clock } from '../job/clock.js';
import { MIN_SNOOZE_MS } from '../job/task-control-errors.js';
import { ExecutorStoppingError, PayloadError, TaskLostError, TaskRunTimeoutError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import { type TaskPolicy, retryDelay } from '../job/policy.js';
import { printed, shownText } from '../job/show-value.js';
import type { TaskDefinition } from './task-definition.js';

export interface OutcomeParts {
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  /** Draws from [0, 1) for jitter. */
  readonly random: () => number;
}

const FINAL_CODES: ReadonlySet<string | null> = new Set([
  'FLOWRRA_FATAL',
  'FLOWRRA_FORBIDDEN',
  'FLOWRRA_ARGUMENTS',
  'FLOWRRA_CONFIG',
  'FLOWRRA_DURABLE',
  'FLOWRRA_CHILD_FAILED',
  'FLOWRRA_JOURNAL_FULL',
]);

/** How long a job waits whose journal could not be read. */
const JOURNAL_PAUSE_MS = 1_000;

export function successOutcome(value: unknown, attempt: Attempt, { codec, clock }: OutcomeParts): Outcome {
  try {
    return { kind: 'success', result: codec.copyResult(value) };
  } catch (error) {
    // The same code returns the same kind of value, so another attempt would fail as well.
    return failedOutcome(error, attempt, clock.now());
  }
}

/**
 * The outcome of an attempt that threw. Never throws itself: the error may be any value, with getters
 * and proxies that throw.
 *
 * @param aborted The reason of the attempt's abort; `undefined` if it was not aborted.
 */
export function errorOutcome(
  error: unknown,
  aborted: unknown,
  policy: TaskPolicy,
  attempt: Attempt,
  parts: OutcomeParts,
): Outcome {
  if (aborted instanceof ExecutorStoppingError || aborted instanceof TaskLostError)
    return { kind: 'released', delay: 0 };
  try {
    return judge(error, policy, attempt, parts);
  } catch {
    const unreadable = new Error('The task threw a value that cannot be read.');
    return failedOutcome(unreadable, attempt, parts.clock.now());
  }
}

/** For arguments that cannot be read: a further attempt could not read them either. */
export function unreadableOutcome(error: unknown, attempt: Attempt, now: number): Outcome {
  return failedOutcome(error, attempt, now);
}

/** For a journal that the engine does not answer about: another attempt tries again. */
export function unreadableJournal(error: unknown, { taskName, taskId }: Attempt): Outcome {
  new Logger('Flowrra').error(
    `The journal of ${shownText(taskName)} ${shownText(taskId)} could not be read or written, so the job is released: ${printed(error)}`,
  );
  return { kind: 'released', delay: JOURNAL_PAUSE_MS };
}

/** `null` if the attempt may still be started. */
function expiredOutcome(attempt: Attempt, policy: TaskPolicy, now: number): Outcome | null {
  if (!hasExpired(attempt, policy, now)) return null;
  const late = now - validFrom(attempt);
  return {
    kind: 'cancelled',
    reason: `Expired: not started within ${policy.expires} ms of submission (${late} ms have passed).`,
  };
}

/** `null` for an attempt that is to run. */
export function outcomeBeforeStart(attempt: Attempt, policy: TaskPolicy, clock: Clock): Outcome | null {
  if (policy.expires === Infinity && !attempt.lost) return null;
  const now = clock.now();
  return expiredOutcome(attempt, policy, now) ?? (attempt.lost ? lostOutcome(attempt, now) : null);
}

/** For a job that was claimed again after more dead workers than `maxRescues` allows. */
export function lostOutcome(attempt: Attempt, now: number): Outcome {
  const error = new TaskLostError(
    'Too many workers died or were blocked while they ran the job, so it is not run again. Check what ends the process or blocks it for longer than a lease: a crash in native code, out of memory, a long synchronous computation.',
  );
  return failedOutcome(error, attempt, now);
}

/**
 * Adds a hint to the error of a task that may lack `@TaskCtx()` and so got `undefined` as its context. At the
 * start a parameter is not recognised as a context if its type was imported by `import type`.
 */
export function withContextHint(outcome: Outcome, task: TaskDefinition, attempt: Attempt): Outcome {
  if (task.undecoratedParameters === 0 || (outcome.kind !== 'retry' && outcome.kind !== 'failed'))
    return outcome;
  const { error } = outcome;
  if (error.name !== 'TypeError' || !error.message.includes('undefined')) return outcome;
  const given = attempt.args().length;
  if (given >= task.undecoratedParameters) return outcome;
  const hint = `(${task.name} has ${task.undecoratedParameters} parameters and was given ${given} arguments. If the last parameter is the TaskContext, decorate it: \`@TaskCtx() ctx: TaskContext\`.)`;
  return { ...outcome, error: { ...error, message: `${error.message} ${hint}` } };
}

function failedOutcome(error: unknown, attempt: Attempt, now: number): Outcome {
  return { kind: 'failed', error: describeError(error, attempt.retries + 1, now) };
}

function judge(error: unknown, policy: TaskPolicy, attempt: Attempt, parts: OutcomeParts): Outcome {
  const code = codeOf(error);
  const asked = requestedDelay(error);
  if (code === 'FLOWRRA_SNOOZE' && asked !== null)
    return { kind: 'snoozed', delay: Math.max(MIN_SNOOZE_MS, asked) };
  const now = parts.clock.now();
  const described = describeError(error, attempt.retries + 1, now);
  if (isFinal(error, code) || attempt.retries >= policy.maxRetries)
    return { kind: 'failed', error: described };
  const delay =
    code === 'FLOWRRA_RETRY' && asked !== null ? asked : backoffDelay(error, policy, attempt, parts);
  // The next attempt would never be started.
  if (hasExpired(attempt, policy, now + delay)) return { kind: 'failed', error: described };
  return { kind: 'retry', error: described, delay };
}

/** Whether a retry is of no use: the task or the configuration says so, or the result could not leave its thread. */
function isFinal(error: unknown, code: string | null): boolean {
  return FINAL_CODES.has(code) || (error instanceof PayloadError && error.path.startsWith('result'));
}

/**
 * The delay that an error with the code of RetryTaskError or SnoozeTaskError asks for, in whole milliseconds,
 * since not every engine can store a fraction; `null` if it is not a delay.
 */
function requestedDelay(error: unknown): number | null {
  const { delay } = (error ?? {}) as { delay?: unknown };
  return typeof delay === 'number' && delay >= 0 && delay <= Number.MAX_SAFE_INTEGER
    ? Math.round(delay)
    : null;
}

function backoffDelay(error: unknown, policy: TaskPolicy, attempt: Attempt, parts: OutcomeParts): number {
  try {
    return retryDelay(policy, attempt.retries + 1, error, parts.random);
  } catch (cause) {
    new Logger('Flowrra').error(
      `The backoff function of '${attempt.taskName}' failed, so retryDelay is used: ${printed(cause)}`,
    );
    return policy.retryDelay;
  }
}

/** A job that an operator has retried does not expire: it has more errors than retries. */
function hasExpired(attempt: Attempt, { expires }: TaskPolicy, at: number): boolean {
  if (expires === Infinity || attempt.errors.length > attempt.retries) return false;
  return at >= validFrom(attempt) + expires;
}

/** For a debounced job, the time of the last submission that changed it. */
function validFrom({ submittedAt, overrides }: Attempt): number {
  return overrides?.validFrom ?? submittedAt;
}

/** Logs that another worker may run the job, and returns the reason for the attempt's signal. */
export function leaseLost({ taskName, taskId }: Attempt): TaskLostError {
  const reason = new TaskLostError(
    'The lease of the job ended before it was renewed, so another worker may run the job. The outcome of this attempt does not count.',
  );
  new Logger('Flowrra').warn(
    `${shownText(taskName)} ${shownText(taskId)}: ${reason.message} Was the event loop, or the process, blocked for longer than a lease?`,
  );
  return reason;
}

/** The error of an attempt: after its time-out, the time-out with the thrown error as its cause. */
export function thrownAfter(reason: unknown, thrown: unknown): unknown {
  return reason instanceof TaskRunTimeoutError && thrown !== reason
    ? new TaskRunTimeoutError(reason.message, { cause: thrown })
    : thrown;
}

/** Whether the job ends for good without a result. */
export function isWithoutSuccess(
  outcome: Outcome,
): outcome is Outcome & { readonly kind: 'failed' | 'cancelled' } {
  return outcome.kind === 'failed' || outcome.kind === 'cancelled';
}
