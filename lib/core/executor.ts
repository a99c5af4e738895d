import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Attempt, AbortHandle, MaybePromise, Outcome } from '../engine/engine.interface.js';
import type { ContextOptions } from '../options/module-options.js';
import type { TaskPolicy } from '../options/resolved-options.js';
import type { TaskRunner } from '../runner/task-runner.interface.js';
import { codeOf, describeError } from './attempt-error.js';
import { AttemptCall } from './attempt-call.js';
import type { ReportParts } from './attempt-reports.js';
import { contextOf, markOf } from './carried.js';
import type { Clock } from './clock.js';
import type { DeadLetters } from './dead-letters.js';
import { ExecutorStoppingError, PayloadError, TaskLostError } from './errors.js';
import type { RetryTaskError, SnoozeTaskError } from './errors.js';
import type { Instrumentation } from './instrumentation.js';
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
  readonly reports: ReportParts;
  readonly deadLetters: DeadLetters;
  /** How an attempt runs in its submitter's surroundings; `null` for not at all. */
  readonly context: Pick<ContextOptions, 'run'> | null;
  readonly instrumentation: Instrumentation | null;
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
    return this.kept(this.attempt(task, policy, attempt, abort), policy, attempt, abort);
  }

  killGrace(attempt: Attempt): number {
    return this.parts.registry.definition(attempt.taskName)?.policy.killGrace ?? 0;
  }

  /** What becomes of a cancelled attempt that has not ended in time. Whatever it still answers is not recorded. */
  overdue(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome> {
    const { recorder } = this.parts;
    const outcome = this.cancelled(abort.cancelReason ?? '');
    abort.overruled = true;
    this.parts.instrumentation?.overdue(attempt, outcome);
    return recorder === null ? outcome : recorder.ended(attempt, outcome).then(() => outcome);
  }

  private attempt(
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    const { observer, recorder, instrumentation } = this.parts;
    if (abort.cancelReason !== null) return this.cancelled(abort.cancelReason);
    if (policy.expires !== Infinity && this.hasExpired(attempt, policy)) return this.expired(attempt, policy);
    if (attempt.lost) return this.lost(attempt);
    observer.started(attempt);
    recorder?.started(attempt);
    return instrumentation === null
      ? this.begun(task, policy, attempt, abort)
      : this.instrumented(instrumentation, task, policy, attempt, abort);
  }

  /** Apart, since a function that holds a closure costs more to call, whether it makes it or not. */
  private instrumented(
    instrumentation: Instrumentation,
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    return instrumentation.attempt(attempt, markOf(attempt.metadata), () =>
      this.begun(task, policy, attempt, abort),
    );
  }

  private begun(
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
    const call = new AttemptCall(attempt, args, abort, policy.killGrace, this.parts.reports);
    let value: unknown;
    try {
      value = this.run(task, policy, attempt, call);
    } catch (error) {
      return afterReport(call, this.failure(error, policy, attempt, abort));
    }
    if (!(value instanceof Promise)) return afterReport(call, this.success(value, attempt, abort));
    return value.then(
      (result) => afterReport(call, this.success(result, attempt, abort)),
      (error: unknown) => afterReport(call, this.failure(error, policy, attempt, abort)),
    );
  }

  /** What the task's code returns: a value, or a native promise of one. */
  private run(task: TaskDefinition, policy: TaskPolicy, attempt: Attempt, call: AttemptCall): unknown {
    const { runners, clock, context } = this.parts;
    const runner = task.cpuBound ? runners.cpu : runners.inline;
    const value = settleable(
      context === null && task.pipeline === null
        ? runner.run(task, call)
        : runWithin(context, attempt, runner, task, call),
    );
    return value instanceof Promise && policy.timeout !== Infinity
      ? limitTime(value, policy, call.abort, clock)
      : value;
  }

  private success(value: unknown, attempt: Attempt, abort: AbortHandle): Outcome {
    if (abort.cancelReason !== null) return this.cancelled(abort.cancelReason);
    try {
      return { kind: 'success', result: this.parts.codec.copyResult(value) };
    } catch (error) {
      // The same code returns the same kind of value, so trying again would only fail again.
      return { kind: 'failed', error: this.describe(error, attempt) };
    }
  }

  private failure(error: unknown, policy: TaskPolicy, attempt: Attempt, abort: AbortHandle): Outcome {
    abort.threw?.(error);
    if (abort.cancelReason !== null) return this.cancelled(abort.cancelReason);
    if (abort.reason instanceof ExecutorStoppingError || abort.reason instanceof TaskLostError)
      return { kind: 'released', delay: 0 };
    const code = codeOf(error);
    if (code === 'FLOWRRA_SNOOZE') return { kind: 'snoozed', delay: (error as SnoozeTaskError).delay };
    const described = this.describe(error, attempt);
    if (isFinal(error, code) || attempt.retries >= policy.maxRetries)
      return { kind: 'failed', error: described };
    const delay =
      code === 'FLOWRRA_RETRY' ? (error as RetryTaskError).delay : this.backoff(error, policy, attempt);
    // The next attempt would never be started.
    if (policy.expires !== Infinity && this.hasExpired(attempt, policy, delay))
      return { kind: 'failed', error: described };
    return { kind: 'retry', error: described, delay };
  }

  private cancelled(reason: string): Outcome {
    return { kind: 'cancelled', reason };
  }

  private hasExpired({ submittedAt }: Attempt, { expires }: TaskPolicy, delay = 0): boolean {
    return this.parts.clock.now() + delay >= submittedAt + expires;
  }

  private expired({ submittedAt }: Attempt, { expires }: TaskPolicy): Outcome {
    const late = this.parts.clock.now() - submittedAt;
    return this.cancelled(
      `It was to start within ${expires} ms of its submission, and ${late} ms have passed.`,
    );
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

  /** Where all that has to be kept of an outcome is kept, before the engine hears of it: that acknowledges the job. */
  private kept(
    pending: MaybePromise<Outcome>,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    const { recorder } = this.parts;
    if (recorder === null && policy.deadLetter === null) return pending;
    return this.keep(pending, policy, attempt, abort);
  }

  private async keep(
    pending: MaybePromise<Outcome>,
    { deadLetter }: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): Promise<Outcome> {
    const { recorder, deadLetters } = this.parts;
    const outcome = await pending;
    if (abort.overruled) return outcome;
    if (outcome.kind === 'failed' && deadLetter !== null)
      await deadLetters.send(deadLetter, attempt, outcome.error);
    await recorder?.ended(attempt, outcome);
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

/** Apart, since a function that holds a closure costs more to call, whether it makes it or not. */
function runWithin(
  context: Pick<ContextOptions, 'run'> | null,
  { metadata }: Attempt,
  runner: TaskRunner,
  task: TaskDefinition,
  call: AttemptCall,
): unknown {
  const { pipeline } = task;
  const run = (): unknown => runner.run(task, call);
  const enhanced = pipeline === null ? run : (): unknown => pipeline.run(call, run);
  return context === null ? enhanced() : context.run(contextOf(metadata), enhanced);
}

/** What a task has said of itself is there before its end is. */
function afterReport(call: AttemptCall, outcome: Outcome): MaybePromise<Outcome> {
  const reported = call.lastReport();
  return reported === null ? outcome : reported.then(() => outcome);
}

const FINAL_CODES: ReadonlySet<string | null> = new Set([
  'FLOWRRA_FATAL',
  'FLOWRRA_FORBIDDEN',
  'FLOWRRA_ARGUMENTS',
]);

/** Whether trying again is of no use: the task says so, or its result could not leave its thread. */
function isFinal(error: unknown, code: string | null): boolean {
  return FINAL_CODES.has(code) || (error instanceof PayloadError && error.path.startsWith('result'));
}

/** Observables and foreign thenables as native promises; everything else as it is. */
function settleable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Promise) return value;
  if (isObservable(value)) return lastValueFrom(value, { defaultValue: undefined });
  return typeof (value as { then?: unknown }).then === 'function' ? Promise.resolve(value) : value;
}
