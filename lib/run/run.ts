import { TaskSuspendedError } from '../job/durable-errors.js';
import { TaskCancelledError, TaskLostError, TaskRunTimeoutError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import { carrierOf } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import { type TaskPolicy, effectivePolicy } from '../job/policy.js';
import { AttemptCall, type AttemptCallParts } from './attempt-call.js';
import { AttemptTimer } from './attempt-timer.js';
import { Ending, type EndingParts, type EndingRun, messagesOf, RELEASED } from './ending.js';
import { type CallParts, callTask, type Within } from './call-task.js';
import type { AttemptSpan, Instrumentation } from './instrumentation.js';
import {
  errorOutcome,
  leaseLost,
  isWithoutSuccess,
  outcomeBeforeStart,
  type OutcomeParts,
  successOutcome,
  thrownAfter,
  unreadableJournal,
  unreadableOutcome,
  withContextHint,
} from './outcome.js';
import type { RunObserver } from './run-observer.js';
import type { TaskDefinition } from './task-definition.js';
import type { UnknownTasks } from './unknown-tasks.js';

export interface RunParts extends AttemptCallParts, OutcomeParts, CallParts, EndingParts {
  readonly registry: { definition(name: string): TaskDefinition | undefined };
  readonly unknownTasks: Pick<UnknownTasks, 'outcomeOf'>;
  readonly observer: RunObserver;
  readonly instrumentation: Instrumentation | null;
}

/** `running`: the task's code runs. `undoing`: the outcome is known; finished steps are being undone. `ending`: the outcome is known; reports, dead letter and backend's result are being stored. */
type Phase = 'waiting' | 'running' | 'undoing' | 'ending' | 'over';

/**
 * One attempt, from its claim to its outcome. Engines start it, may end it early (`cancel`, `stop`,
 * `lose`, `abandon`), and store the outcome. The task's code sees it as an {@link AttemptCall}.
 *
 * There is no promise between a synchronous task and its outcome: the memory engine depends on that.
 */
export class Run extends AttemptCall implements EndingRun {
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
  protected span: AttemptSpan | null = null;
  /** `null` until it is needed: most attempts have neither a time-out nor a cancellation. */
  private timer: AttemptTimer | null = null;
  /** The outcome of a durable job whose code only runs to learn how its steps are undone. */
  private decided: Outcome | null = null;
  private ending: Ending | null = null;
  private isGraceOver = false;

  constructor(
    attempt: Attempt,
    protected override readonly parts: RunParts,
  ) {
    super(attempt, parts);
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
    if (attempt.isResumed === true && parts.durable !== null) return void this.resume(task, policy, within);
    const early = this.cancelled() ?? outcomeBeforeStart(attempt, policy, parts.clock);
    if (early !== null) return this.keep(early);
    this.begin(task, policy, within);
  }

  /** The call of the task's code. A durable job's journal is read before. */
  private begin(task: TaskDefinition, policy: TaskPolicy, within: Within | undefined): void {
    const { attempt, parts } = this;
    parts.observer.started(attempt);
    parts.recorder?.started(attempt);
    if (attempt.isResumed === true && this.decided === null) parts.observer.resumed(attempt);
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

  private async resume(task: TaskDefinition, policy: TaskPolicy, within: Within | undefined): Promise<void> {
    const run = this.journalled();
    try {
      this.decided = await run.decide(this.cancelled());
    } catch (error) {
      if (this.phase === 'waiting') this.keep(unreadableJournal(error, this.attempt));
      return;
    }
    if (this.phase !== 'waiting') return;
    if (this.decided?.kind === 'cancelled') this.cancelReason = this.decided.reason;
    if (this.decided === null || run.isUndoing) return this.begin(task, policy, within);
    this.phase = 'running';
    this.conclude(this.decided);
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
    const outcome = this.cancelledWithoutCode() ?? RELEASED;
    if (this.phase === 'running' || this.phase === 'undoing') this.span?.ended(outcome);
    this.outcome = outcome;
    this.durableRun?.over();
    this.ending?.abort(outcome);
    if (this.ended !== null) this.end(outcome);
  }

  private interrupt(reason: unknown): void {
    this.abort(reason);
    this.ending?.abort(reason);
  }

  /** Another attempt undoes the steps of a durable job. */
  cancelledWithoutCode(): Outcome | null {
    const cancelled = this.cancelled();
    return cancelled !== null && this.mustUndo ? RELEASED : cancelled;
  }

  private get mustUndo(): boolean {
    const { attempt, durableRun, phase, outcome } = this;
    const isUndone = phase === 'ending' && outcome !== null && isWithoutSuccess(outcome);
    return !isUndone && (attempt.isResumed === true || durableRun?.hasWorkAtEnd === true);
  }

  private cancelled(): Outcome | null {
    return this.cancelReason === null ? null : { kind: 'cancelled', reason: this.cancelReason };
  }

  private awaitValue(value: Promise<unknown>, timeout: number): void {
    if (timeout !== Infinity) this.timing().startTimeout(timeout, () => this.timeOut(timeout));
    value.then(
      (result) => this.returned(result),
      (error: unknown) => this.threw(error),
    );
  }

  private timeOut(timeout: number): void {
    this.startGrace();
    this.abort(new TaskRunTimeoutError(`The attempt ran for longer than its timeout of ${timeout} ms`));
  }

  private startGrace(): void {
    this.timing().startGrace(this.killGrace, () => this.graceOver());
  }

  private timing(): AttemptTimer {
    return (this.timer ??= new AttemptTimer(this.parts.clock));
  }

  private graceOver(): void {
    this.isGraceOver = true;
    if (this.phase === 'running') return this.threw(this.reason);
    // A cancelled job does not wait for its dead letter.
    const cancelled = this.outcome?.kind === 'cancelled' ? null : this.cancelledWithoutCode();
    if (this.phase === 'ending' && cancelled !== null) void this.ending?.begin(cancelled);
  }

  private returned(value: unknown): void {
    if (this.phase !== 'running') return;
    this.conclude(this.decided ?? this.cancelled() ?? successOutcome(value, this.attempt, this.parts));
  }

  private threw(thrown: unknown): void {
    if (this.phase !== 'running') return;
    const { task, policy, attempt, parts, reason } = this;
    const error = thrownAfter(reason, thrown);
    this.thrown = { error };
    if (this.decided !== null || this.cancelReason !== null || task === undefined || policy === null)
      return this.conclude(this.decided ?? this.cancelled() ?? RELEASED);
    // A job that has begun goes on however late it is.
    const own = this.durableRun?.isBegun === true ? { ...policy, expires: Infinity } : policy;
    this.conclude(withContextHint(errorOutcome(error, reason, own, attempt, parts), task, attempt));
  }

  /** The code waits for something that another attempt will find. */
  protected suspend(outcome: Outcome): void {
    if (this.phase !== 'running') return;
    if (this.decided === null && this.reason instanceof TaskRunTimeoutError) return this.threw(this.reason);
    this.conclude(this.decided ?? this.cancelled() ?? outcome);
    this.abort(
      new TaskSuspendedError('The job is suspended: its method waits, and goes on in a later attempt.'),
    );
  }

  /** Ends the calls of the code. The steps of a job that has failed for good or was cancelled are undone first. */
  private conclude(outcome: Outcome): void {
    const run = this.durableRun;
    if (run === null || !isWithoutSuccess(outcome) || !run.hasWorkAtEnd) {
      run?.close();
      return this.concluded(outcome);
    }
    this.phase = 'undoing';
    void run.finish(outcome, this.isGraceOver ? 0 : this.killGrace).then(
      (undone) => this.phase === 'undoing' && this.concluded(undone),
      (error: unknown) => this.phase === 'undoing' && this.concluded(unreadableJournal(error, this.attempt)),
    );
  }

  private concluded(outcome: Outcome): void {
    // The grace after a cancellation also limits the time for the dead letter.
    if (this.cancelReason === null) this.timer?.clear();
    this.span?.ended(outcome);
    this.durableRun?.over();
    this.keep(outcome);
  }

  /** Reports, messages and the backend's result are stored before the engine acknowledges the job. */
  private keep(outcome: Outcome): void {
    this.phase = 'ending';
    this.outcome = outcome;
    const { attempt, parts, reports } = this;
    const handler = this.policy?.deadLetter ?? null;
    if (reports === null && parts.recorder === null && messagesOf(outcome, attempt, handler) === null)
      return this.end(outcome);
    this.ending = new Ending(this, parts, handler);
    if (this.aborted) this.ending.abort(this.reason);
    void this.ending.begin(outcome);
  }

  end(outcome: Outcome): void {
    if (this.phase === 'over') return;
    this.phase = 'over';
    this.outcome = outcome;
    this.timer?.clear();
    this.ended?.(outcome);
  }

  get killGrace(): number {
    return this.policy?.killGrace ?? 0;
  }

  get isRunning(): boolean {
    return this.phase === 'running';
  }
}
