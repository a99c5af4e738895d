import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Attempt, AbortHandle, MaybePromise, Outcome } from '../engine/engine.interface.js';
import type { TaskPolicy } from '../options/resolved-options.js';
import type { TaskRunner } from '../runner/task-runner.interface.js';
import { codeOf, describeError } from './attempt-error.js';
import type { Clock } from './clock.js';
import { ExecutorStoppingError, PayloadError, TaskLostError } from './errors.js';
import type { RetryTaskError, SnoozeTaskError } from './errors.js';
import type { PayloadCodec } from './payload/payload-codec.js';
import type { ResultRecorder } from './result-recorder.js';
import { effectivePolicy, retryDelay } from './retry-policy.js';
import type { RunObserver } from './run-observer.js';
import { limitTime } from './time-limit.js';
import type { TaskDefinition } from './task-definition.js';
import type { TaskRegistry } from './task-registry.js';

/** How long a job of a task that this process does not know is put off, for a worker that does. */
const PUT_OFF_MS = 5_000;

export interface ExecutorParts {
  readonly registry: TaskRegistry;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly observer: RunObserver;
  /** Where tasks run that are not CPU-bound, and those that are. */
  readonly runners: { readonly inline: TaskRunner; readonly cpu: TaskRunner };
  /** Writes a configured result backend; `null` where results stay with the engine. */
  readonly recorder: ResultRecorder | null;
  /** Draws from [0, 1) for jitter. */
  readonly random: () => number;
}

/**
 * Runs attempts, and decides what becomes of them. Read it top to bottom: resolve the task, run
 * it, and turn what it returned or threw into an outcome for the engine.
 */
export class Executor {
  private readonly logger = new Logger('Flowrra');
  private readonly reportedUnknown = new Set<string>();

  constructor(private readonly parts: ExecutorParts) {}

  execute(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome> {
    const task = this.parts.registry.definition(attempt.taskName);
    if (task === undefined) return this.putOff(attempt);
    const policy = effectivePolicy(task.policy, attempt.overrides);
    const { observer, recorder } = this.parts;
    if (attempt.lost) {
      const failed = this.lost(attempt);
      return recorder === null ? failed : this.recorded(recorder, attempt, failed);
    }
    observer.started(attempt);
    if (recorder === null) return this.attempt(task, policy, attempt, abort);
    recorder.started(attempt);
    return this.recorded(recorder, attempt, this.attempt(task, policy, attempt, abort));
  }

  private attempt(
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    let args: unknown[];
    try {
      args = attempt.args();
    } catch (error) {
      // What cannot be read today cannot be read at the next attempt.
      return { kind: 'failed', error: this.describe(error, attempt) };
    }
    let value: unknown;
    try {
      value = this.run(task, policy, attempt, args, abort);
    } catch (error) {
      return this.failure(error, policy, attempt, abort);
    }
    if (!(value instanceof Promise)) return this.success(value, attempt);
    return value.then(
      (result) => this.success(result, attempt),
      (error: unknown) => this.failure(error, policy, attempt, abort),
    );
  }

  /** What the task's code returns: a value, or a native promise of one. */
  private run(
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    args: unknown[],
    abort: AbortHandle,
  ): unknown {
    const { runners, clock } = this.parts;
    const runner = task.cpuBound ? runners.cpu : runners.inline;
    const value = settleable(
      runner.run(task, {
        taskId: attempt.taskId,
        taskName: attempt.taskName,
        attempt: attempt.retries + 1,
        args,
        abort,
        killGrace: policy.killGrace,
      }),
    );
    return value instanceof Promise && policy.timeout !== Infinity
      ? limitTime(value, policy, abort, clock)
      : value;
  }

  private success(value: unknown, attempt: Attempt): Outcome {
    try {
      return { kind: 'success', result: this.parts.codec.copyResult(value) };
    } catch (error) {
      // The same code returns the same kind of value, so trying again would only fail again.
      return { kind: 'failed', error: this.describe(error, attempt) };
    }
  }

  private failure(error: unknown, policy: TaskPolicy, attempt: Attempt, abort: AbortHandle): Outcome {
    if (abort.reason instanceof ExecutorStoppingError || abort.reason instanceof TaskLostError)
      return { kind: 'released', delay: 0 };
    const code = codeOf(error);
    if (code === 'FLOWRRA_SNOOZE') return { kind: 'snoozed', delay: (error as SnoozeTaskError).delay };
    const described = this.describe(error, attempt);
    if (isFinal(error, code) || attempt.retries >= policy.maxRetries)
      return { kind: 'failed', error: described };
    const delay =
      code === 'FLOWRRA_RETRY' ? (error as RetryTaskError).delay : this.backoff(error, policy, attempt);
    return { kind: 'retry', error: described, delay };
  }

  private lost(attempt: Attempt): Outcome {
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
        `The backoff function of '${attempt.taskName}' failed, so retryDelay is used: ${String(cause)}`,
      );
      return policy.retryDelay;
    }
  }

  private describe(error: unknown, attempt: Attempt) {
    return describeError(error, attempt.retries + 1, this.parts.clock.now());
  }

  /** Results are stored before the engine hears the outcome, since that is what acknowledges the job. */
  private async recorded(
    recorder: ResultRecorder,
    attempt: Attempt,
    pending: MaybePromise<Outcome>,
  ): Promise<Outcome> {
    const outcome = await pending;
    await recorder.ended(attempt, outcome);
    return outcome;
  }

  private putOff(attempt: Attempt): Outcome {
    if (!this.reportedUnknown.has(attempt.taskName)) {
      this.reportedUnknown.add(attempt.taskName);
      this.logger.warn(
        `A job of '${attempt.taskName}' waits for a worker that knows this task; here none is called so. Is a deployment under way, or was the task renamed?`,
      );
    }
    return { kind: 'released', delay: PUT_OFF_MS };
  }
}

/** Whether trying again is of no use: the task says so, or its result could not leave its thread. */
function isFinal(error: unknown, code: string | null): boolean {
  return code === 'FLOWRRA_FATAL' || (error instanceof PayloadError && error.path.startsWith('result'));
}

/** Observables and foreign thenables as native promises; everything else as it is. */
function settleable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Promise) return value;
  if (isObservable(value)) return lastValueFrom(value, { defaultValue: undefined });
  return typeof (value as { then?: unknown }).then === 'function' ? Promise.resolve(value) : value;
}
