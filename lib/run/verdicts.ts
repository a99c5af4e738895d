import { Logger } from '@nestjs/common';
import type { AbortHandle } from '../engine/engine.js';
import type { Attempt } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import { type TaskPolicy, retryDelay } from '../job/policy.js';
import { codeOf, describeError } from '../job/attempt-error.js';
import type { Clock } from '../job/clock.js';
import { LEAST_SNOOZE_MS } from '../job/duration.js';
import { ExecutorStoppingError, PayloadError, TaskLostError } from '../job/errors.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import { printed } from '../job/printed.js';

export interface VerdictParts {
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  /** Draws from [0, 1) for jitter. */
  readonly random: () => number;
}

/** What becomes of an attempt, of what it has returned or thrown, or of what was known before it began. */
export class Verdicts {
  private readonly logger = new Logger('Flowrra');

  constructor(private readonly parts: VerdictParts) {}

  success(value: unknown, attempt: Attempt, abort: AbortHandle): Outcome {
    if (abort.cancelReason !== null) return this.cancelled(abort.cancelReason);
    try {
      return { kind: 'success', result: this.parts.codec.copyResult(value) };
    } catch (error) {
      // The same code returns the same kind of value, so trying again would only fail again.
      return { kind: 'failed', error: this.describe(error, attempt) };
    }
  }

  /** Whatever was thrown, this does not throw: it may be anything, with getters and proxies of any kind. */
  failure(error: unknown, policy: TaskPolicy, attempt: Attempt, abort: AbortHandle): Outcome {
    try {
      return this.judged(error, policy, attempt, abort);
    } catch {
      const error = new Error('The task threw something that cannot be looked at.');
      return { kind: 'failed', error: this.describe(error, attempt) };
    }
  }

  /** What cannot be read today cannot be read at the next attempt. */
  unreadable(error: unknown, attempt: Attempt): Outcome {
    return { kind: 'failed', error: this.describe(error, attempt) };
  }

  private judged(error: unknown, policy: TaskPolicy, attempt: Attempt, abort: AbortHandle): Outcome {
    abort.threw?.(error);
    if (abort.cancelReason !== null) return this.cancelled(abort.cancelReason);
    if (abort.reason instanceof ExecutorStoppingError || abort.reason instanceof TaskLostError)
      return { kind: 'released', delay: 0 };
    const code = codeOf(error);
    const asked = delayOf(error);
    if (code === 'FLOWRRA_SNOOZE' && asked !== null)
      return { kind: 'snoozed', delay: Math.max(LEAST_SNOOZE_MS, asked) };
    const described = this.describe(error, attempt);
    if (isFinal(error, code) || attempt.retries >= policy.maxRetries)
      return { kind: 'failed', error: described };
    const delay = code === 'FLOWRRA_RETRY' && asked !== null ? asked : this.backoff(error, policy, attempt);
    // The next attempt would never be started.
    if (policy.expires !== Infinity && this.hasExpired(attempt, policy, delay))
      return { kind: 'failed', error: described };
    return { kind: 'retry', error: described, delay };
  }

  cancelled(reason: string): Outcome {
    return { kind: 'cancelled', reason };
  }

  /** Not of a job that somebody has put back by hand: it has more errors than it has made retries. */
  private hasExpired(attempt: Attempt, { expires }: TaskPolicy, delay = 0): boolean {
    if (attempt.errors.length > attempt.retries) return false;
    return this.parts.clock.now() + delay >= validFrom(attempt) + expires;
  }

  /** `null` if it may start. */
  expired(attempt: Attempt, policy: TaskPolicy): Outcome | null {
    if (!this.hasExpired(attempt, policy)) return null;
    const { expires } = policy;
    const late = this.parts.clock.now() - validFrom(attempt);
    return this.cancelled(
      `It was to start within ${expires} ms of its submission, and ${late} ms have passed.`,
    );
  }

  lost(attempt: Attempt): Outcome {
    const error = new TaskLostError(
      'Its worker died or stood still while it ran, again and again, so it is not run any more. Look for what ends the process, or blocks it for longer than a lease: a crash in native code, a lack of memory, a long synchronous computation.',
    );
    return { kind: 'failed', error: this.describe(error, attempt) };
  }

  private backoff(error: unknown, policy: TaskPolicy, attempt: Attempt): number {
    try {
      return retryDelay(policy, attempt.retries + 1, error, this.parts.random);
    } catch (cause) {
      this.logger.error(
        `The backoff function of '${attempt.taskName}' failed, so retryDelay is used: ${printed(cause)}`,
      );
      return policy.retryDelay;
    }
  }

  private describe(error: unknown, attempt: Attempt) {
    return describeError(error, attempt.retries + 1, this.parts.clock.now());
  }
}

const FINAL_CODES: ReadonlySet<string | null> = new Set([
  'FLOWRRA_FATAL',
  'FLOWRRA_FORBIDDEN',
  'FLOWRRA_ARGUMENTS',
  'FLOWRRA_CONFIG',
]);

/**
 * Whether trying again is of no use: the task says so, something is configured wrongly, or the result
 * could not leave its thread.
 */
function isFinal(error: unknown, code: string | null): boolean {
  return FINAL_CODES.has(code) || (error instanceof PayloadError && error.path.startsWith('result'));
}

/** What an error that steers the job asks for; `null` if that is no delay. */
function delayOf(error: unknown): number | null {
  const { delay } = (error ?? {}) as { delay?: unknown };
  return typeof delay === 'number' && Number.isFinite(delay) && delay >= 0 ? delay : null;
}

/** A debounced job is as young as the last call that has changed it. */
function validFrom({ submittedAt, overrides }: Attempt): number {
  return overrides?.validFrom ?? submittedAt;
}
