import { detached } from '../job/async.js';
import { TaskCancelledError, TaskLostError, TaskRunTimeoutError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import { carrierOf } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import { type TaskPolicy, effectivePolicy } from '../job/policy.js';
import { AttemptCall } from './attempt-call.js';
import type { AttemptReports, ReportParts } from './attempt-reports.js';
import { type CallParts, callTask, type Within } from './call-task.js';
import type { DeadLetters } from './dead-letters.js';
import type { AttemptSpan, Instrumentation } from './instrumentation.js';
import { LazyAbort } from './lazy-abort.js';
import {
  errorOutcome,
  expiredOutcome,
  leaseLost,
  lostOutcome,
  type OutcomeParts,
  successOutcome,
  thrownAfter,
  unreadableOutcome,
  withContextHint,
} from './outcome.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';
import type { TaskDefinition } from './task-definition.js';
import type { UnknownTasks } from './unknown-tasks.js';

export interface RunParts extends OutcomeParts, CallParts {
  readonly registry: { definition(name: string): TaskDefinition | undefined };
  readonly unknownTasks: Pick<UnknownTasks, 'outcomeOf'>;
  readonly observer: RunObserver;
  /** Writes a configured result backend; `null` if results stay in the engine. */
  readonly recorder: ResultRecorder | null;
  readonly reports: ReportParts;
  readonly deadLetters: Pick<DeadLetters, 'send'>;
  readonly instrumentation: Instrumentation | null;
}

const RELEASED: Outcome = { kind: 'released', delay: 0 };

/** `running`: the task's code runs. `ending`: the outcome is known; reports, dead letter and backend's result are being stored. */
type Phase = 'waiting' | 'running' | 'ending' | 'over';

/**
 * One attempt, from its claim to its outcome. Engines start it, may end it early (`cancel`, `stop`,
 * `lose`, `abandon`), and store the outcome. The task's code sees it as an {@link AttemptCall}.
 *
 * There is no promise between a synchronous task and its outcome: the memory engine depends on that.
 */
export class Run extends AttemptCall {
  /** Why the job was cancelled; `null` if it was not. */
  cancelReason: string | null = null;
  /** What the task's code threw, as it is; `null` if it has not thrown. */
  thrown: { readonly error: unknown } | null = null;
  /** The index in {@link Runs}, which sets it. */
  index = -1;
  private phase: Phase = 'waiting';
  private outcome: Outcome | null = null;
  private ended: ((outcome: Outcome) => void) | null = null;
  private readonly task: TaskDefinition | undefined;
  private readonly policy: TaskPolicy | null;
  private span: AttemptSpan | null = null;
  /** The timer of the time-out, and then, of the grace after the time-out or the cancellation. */
  private cancelTimer: (() => void) | null = null;
  private inGrace = false;
  /** Ends the attempts to send a dead letter; a time-out does not. */
  private sending: LazyAbort | null = null;

  constructor(
    attempt: Attempt,
    private readonly parts: RunParts,
  ) {
    super(attempt, parts.reports);
    const task = parts.registry.definition(attempt.taskName);
    this.task = task;
    this.policy = task ? effectivePolicy(task.policy, attempt.overrides) : null;
  }

  /** Whether another worker may run the job: this attempt's outcome does not count. */
  get isLost(): boolean {
    return this.reason instanceof TaskLostError;
  }

  /**
   * @param ended Called once with the outcome, before `start` returns if the outcome is known by then.
   * @param within Calls the task's code, so that the engine recognises its submissions.
   */
  start(ended: (outcome: Outcome) => void, within?: Within): void {
    this.ended = ended;
    const { task, policy, attempt, parts } = this;
    if (this.outcome !== null) return this.end(this.outcome);
    if (task === undefined || policy === null)
      return this.end(parts.unknownTasks.outcomeOf(attempt, parts.clock.now()));
    const early = this.outcomeBeforeStart(policy);
    if (early !== null) return this.keep(early);
    parts.observer.started(attempt);
    parts.recorder?.started(attempt);
    this.span = parts.instrumentation?.attempt(attempt, carrierOf(attempt.metadata)) ?? null;
    this.phase = 'running';
    try {
      this.args = attempt.args();
    } catch (error) {
      return this.conclude(unreadableOutcome(error, attempt, parts.clock.now()));
    }
    let value: unknown;
    try {
      value = callTask(task, this, parts, this.span, within);
      if (value instanceof Promise) return this.awaitValue(value, policy.timeout);
    } catch (error) {
      return this.threw(error);
    }
    this.returned(value);
  }

  /** Ends the attempt because its job was cancelled: now if its code obeys the signal, or `killGrace` later. */
  cancel(reason: string): void {
    if (this.cancelReason !== null || this.phase === 'over') return;
    this.cancelReason = reason;
    if (this.phase !== 'waiting') this.startGrace();
    this.interrupt(new TaskCancelledError(reason));
  }

  /** Asks the code to end because the application stops: then its job is released. A result still counts. */
  stop(reason: unknown): void {
    this.interrupt(reason);
  }

  /** The lease ended before it was renewed: another worker may run the job, and this outcome does not count. */
  lose(): void {
    if (this.aborted) return;
    this.abort(leaseLost(this.attempt));
  }

  /** Ends the attempt without its code, whose result is ignored. The job is released, or cancelled if it was cancelled. */
  abandon(): void {
    if (this.phase === 'over') return;
    const outcome = this.cancelled() ?? RELEASED;
    if (this.phase === 'running') this.span?.ended(outcome);
    this.outcome = outcome;
    this.sending?.abort(outcome);
    if (this.ended !== null) this.end(outcome);
  }

  private interrupt(reason: unknown): void {
    this.abort(reason);
    this.sending?.abort(reason);
  }

  private outcomeBeforeStart(policy: TaskPolicy): Outcome | null {
    const { attempt, parts } = this;
    if (this.cancelReason !== null) return this.cancelled();
    if (policy.expires === Infinity && !attempt.lost) return null;
    const now = parts.clock.now();
    return expiredOutcome(attempt, policy, now) ?? (attempt.lost ? lostOutcome(attempt, now) : null);
  }

  private cancelled(): Outcome | null {
    return this.cancelReason === null ? null : { kind: 'cancelled', reason: this.cancelReason };
  }

  private awaitValue(value: Promise<unknown>, timeout: number): void {
    if (timeout !== Infinity && !this.inGrace)
      this.cancelTimer = this.parts.clock.after(timeout, () => this.timeOut(timeout));
    value.then(
      (result) => this.returned(result),
      (error: unknown) => this.threw(error),
    );
  }

  private timeOut(timeout: number): void {
    this.startGrace();
    this.abort(new TaskRunTimeoutError(`The attempt ran for longer than its timeout of ${timeout} ms`));
  }

  /** Once: if the attempt times out and is cancelled, the grace of the first counts. */
  private startGrace(): void {
    if (this.inGrace) return;
    this.inGrace = true;
    this.cancelTimer?.();
    this.cancelTimer = detached(() => this.parts.clock.after(this.killGrace, () => this.graceOver()));
  }

  private graceOver(): void {
    if (this.phase === 'running') return this.threw(this.reason);
    // A cancelled job does not wait for its dead letter.
    const cancelled = this.outcome?.kind === 'cancelled' ? null : this.cancelled();
    if (this.phase === 'ending' && cancelled !== null) this.keep(cancelled);
  }

  private returned(value: unknown): void {
    if (this.phase !== 'running') return;
    this.conclude(this.cancelled() ?? successOutcome(value, this.attempt, this.parts));
  }

  private threw(thrown: unknown): void {
    if (this.phase !== 'running') return;
    const { task, policy, attempt, parts, reason } = this;
    const error = thrownAfter(reason, thrown);
    this.thrown = { error };
    if (this.cancelReason !== null || task === undefined || policy === null)
      return this.conclude(this.cancelled() ?? RELEASED);
    this.conclude(withContextHint(errorOutcome(error, reason, policy, attempt, parts), task, attempt));
  }

  /** Stores the attempt's last reports, then goes on with {@link keep}. */
  private conclude(outcome: Outcome): void {
    this.phase = 'ending';
    // The grace after a cancellation also limits the time for the dead letter.
    if (this.cancelReason === null) this.clearTimer();
    this.outcome = outcome;
    this.span?.ended(outcome);
    if (this.reports === null) this.keep(outcome);
    else void this.keepAfterReports(this.reports, outcome);
  }

  private async keepAfterReports(reports: AttemptReports, outcome: Outcome): Promise<void> {
    await reports.end();
    if (this.outcome === outcome) this.keep(outcome);
  }

  /** Stores the dead letter and the backend's result before the engine acknowledges the job. */
  private keep(outcome: Outcome): void {
    this.phase = 'ending';
    this.outcome = outcome;
    const deadLetter = outcome.kind === 'failed' ? (this.policy?.deadLetter ?? null) : null;
    if (this.parts.recorder === null && deadLetter === null) this.end(outcome);
    else void this.store(outcome, deadLetter);
  }

  private async store(outcome: Outcome, deadLetter: string | null): Promise<void> {
    const { deadLetters, recorder } = this.parts;
    if (outcome.kind === 'failed' && deadLetter !== null) {
      this.sending = new LazyAbort();
      if (this.aborted && !(this.reason instanceof TaskRunTimeoutError)) this.sending.abort(this.reason);
      const sent = await deadLetters.send(deadLetter, this.attempt, outcome.error, this.sending);
      if (this.outcome !== outcome) return;
      const cancelled = this.cancelled();
      // The job fails again in another process, or after the next start, and is sent then.
      if (!sent) return cancelled === null ? this.end(RELEASED) : this.keep(cancelled);
    }
    await recorder?.ended(this.attempt, outcome);
    if (this.outcome === outcome) this.end(outcome);
  }

  private end(outcome: Outcome): void {
    if (this.phase === 'over') return;
    this.phase = 'over';
    this.outcome = outcome;
    this.clearTimer();
    this.ended?.(outcome);
  }

  private clearTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.inGrace = false;
  }

  get killGrace(): number {
    return this.policy?.killGrace ?? 0;
  }

  protected get isRunning(): boolean {
    return this.phase === 'running';
  }
}
