import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Attempt } from '../job/job.js';
import type { AbortHandle } from '../engine/engine.js';
import type { MaybePromise } from '../job/async.js';
import type { Outcome } from '../job/outcome.js';
import type { ContextOptions } from './context.js';
import { isTaskName, LONGEST_TASK_NAME } from '../job/names.js';
import { type TaskPolicy, effectivePolicy } from '../job/policy.js';
import type { TaskRunner } from './task-runner.js';
import { AttemptCall } from './attempt-call.js';
import type { ReportParts } from './attempt-reports.js';
import { contextOf, markOf } from '../job/metadata.js';
import type { DeadLetters } from './dead-letters.js';
import type { Instrumentation } from './instrumentation.js';
import { withContextHint } from './missing-context.js';
import type { ResultRecorder } from './result-recorder.js';
import { PayloadError } from '../job/errors.js';
import type { RunObserver } from './run-observer.js';
import { showValue, shownText } from '../job/show-value.js';
import { limitTime } from './time-limit.js';
import type { TaskDefinition } from './task-definition.js';
import { type VerdictParts, Verdicts } from './verdicts.js';
import type { TaskRegistry } from './task-registry.js';

/** How long a job of a task that this process does not know is put off, for a worker that does. */
const PUT_OFF_MS = 5_000;
/** So many names of unknown tasks are logged, once each: another program may make up any number of them. */
const MOST_REPORTED = 100;

export interface ExecutorParts extends VerdictParts {
  readonly registry: TaskRegistry;
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
}

/**
 * Runs attempts, and decides what becomes of them. Read it top to bottom: resolve the task, run
 * it, and turn what it returned or threw into an outcome for the engine.
 */
export class Executor {
  private readonly logger = new Logger('Flowrra');
  private readonly reportedUnknown = new Set<string>();
  private readonly verdicts: Verdicts;

  constructor(private readonly parts: ExecutorParts) {
    this.verdicts = new Verdicts(parts);
  }

  execute(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome> {
    const task = this.parts.registry.definition(attempt.taskName);
    if (task === undefined) return this.putOff(attempt);
    const policy = effectivePolicy(task.policy, attempt.overrides);
    return this.kept(this.safely(task, policy, attempt, abort), policy, attempt, abort);
  }

  killGrace(attempt: Attempt): number {
    return this.parts.registry.definition(attempt.taskName)?.policy.killGrace ?? 0;
  }

  /** What becomes of a cancelled attempt that has not ended in time. Whatever it still answers is not recorded. */
  overdue(attempt: Attempt, abort: AbortHandle): MaybePromise<Outcome> {
    const { recorder } = this.parts;
    const outcome = this.verdicts.cancelled(abort.cancelReason ?? '');
    abort.overruled = true;
    this.parts.instrumentation?.overdue(attempt, outcome);
    return recorder === null ? outcome : recorder.ended(attempt, outcome).then(() => outcome);
  }

  /** What a task returns may be anything as well, such as a promise of a class of its own that throws. */
  private safely(
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    try {
      return this.attempt(task, policy, attempt, abort);
    } catch (error) {
      return this.verdicts.failure(error, policy, attempt, abort);
    }
  }

  private attempt(
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): MaybePromise<Outcome> {
    const { verdicts } = this;
    const { observer, recorder, instrumentation } = this.parts;
    if (abort.cancelReason !== null) return verdicts.cancelled(abort.cancelReason);
    const expired = policy.expires === Infinity ? null : verdicts.expired(attempt, policy);
    if (expired !== null) return expired;
    if (attempt.lost) return verdicts.lost(attempt);
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
      return this.verdicts.unreadable(error, attempt);
    }
    const call = new AttemptCall(attempt, args, abort, policy.killGrace, this.parts.reports);
    let value: unknown;
    try {
      value = this.run(task, policy, attempt, call);
    } catch (error) {
      return afterReport(call, this.failure(error, task, policy, attempt, abort));
    }
    if (!(value instanceof Promise)) return afterReport(call, this.verdicts.success(value, attempt, abort));
    return value.then(
      (result) => afterReport(call, this.verdicts.success(result, attempt, abort)),
      (error: unknown) => afterReport(call, this.failure(error, task, policy, attempt, abort)),
    );
  }

  private failure(
    error: unknown,
    task: TaskDefinition,
    policy: TaskPolicy,
    attempt: Attempt,
    abort: AbortHandle,
  ): Outcome {
    return withContextHint(this.verdicts.failure(error, policy, attempt, abort), task, attempt);
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
    if (outcome.kind === 'failed' && deadLetter !== null) {
      const sent = await deadLetters.send(deadLetter, attempt, outcome.error, abort);
      if (abort.overruled) return outcome;
      // It fails again elsewhere, or at the next start, and is sent then.
      if (!sent) return { kind: 'released', delay: 0 };
    }
    await recorder?.ended(attempt, outcome);
    return outcome;
  }

  private putOff(attempt: Attempt): Outcome {
    const { taskName } = attempt;
    // Another program has added it: no worker can ever know this name.
    if (!isTaskName(taskName)) {
      const problem = `${showValue(taskName)} is no task's name: 1 to ${LONGEST_TASK_NAME} characters, none a control character`;
      return this.verdicts.unreadable(new PayloadError('taskName', problem), attempt);
    }
    this.reportUnknown(taskName);
    return { kind: 'released', delay: PUT_OFF_MS };
  }

  private reportUnknown(taskName: string): void {
    const { size } = this.reportedUnknown;
    if (size > MOST_REPORTED || this.reportedUnknown.has(taskName)) return;
    this.reportedUnknown.add(taskName);
    this.logger.warn(
      size === MOST_REPORTED
        ? `Jobs of more than ${MOST_REPORTED} unknown tasks wait for a worker that knows them: further names are not logged.`
        : `A job of '${shownText(taskName)}' waits for a worker that knows this task; here none is called so. Is a deployment under way, or was the task renamed?`,
    );
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

/** Observables and foreign thenables as native promises; everything else as it is. */
function settleable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Promise) return value;
  if (isObservable(value)) return lastValueFrom(value, { defaultValue: undefined });
  return typeof (value as { then?: unknown }).then === 'function' ? Promise.resolve(value) : value;
}
