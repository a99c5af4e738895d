import type { JobControl } from '../../engine/control.js';
import type { JournalStore } from '../../engine/journal-store.js';
import type { Clock } from '../../job/clock.js';
import { TaskCancelledError } from '../../job/errors.js';
import type { Attempt, AttemptError, TaskStatus } from '../../job/job.js';
import type { Outcome } from '../../job/outcome.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { parentTag } from '../../job/tags.js';
import { RELEASED } from '../ending.js';
import type { JobOperations } from '../job-operations.js';
import { lostOutcome } from '../outcome.js';
import { LazyAbort } from '../lazy-abort.js';
import type { RunObserver } from '../run-observer.js';
import type { Submitter } from '../submitter.js';
import type { TaskRegistry } from '../task-registry.js';
import { AttemptJournal } from './attempt-journal.js';
import { ChildJobs } from './child-jobs.js';
import { type AttemptState, DurableAttempt } from './durable-attempt.js';
import { AttemptCalls } from './attempt-calls.js';
import type { DurableHost } from './durable-calls.js';
import type { DurableProbe } from './durable-probe.js';
import { Steps } from './steps.js';

/** The parts of an application that durable tasks use. */
export interface DurableParts {
  readonly journals: JournalStore;
  readonly control: JobControl | undefined;
  readonly operations: Pick<JobOperations, 'bulk'> | undefined;
  readonly registry: TaskRegistry;
  readonly submitter: Submitter;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly observer: RunObserver;
  readonly probe: DurableProbe | undefined;
}

const UNFINISHED: readonly TaskStatus[] = ['pending', 'running', 'retrying', 'suspended'];

/** One attempt of a durable job: the calls of its code, and the end of the job. */
export class DurableRun {
  readonly calls: DurableHost;
  private readonly journal: AttemptJournal;
  private readonly durable: DurableAttempt;
  private readonly steps: Steps;
  /** Ends the steps that are under way. */
  private readonly stepEnd = new LazyAbort();

  /** @param end The end of the attempt. */
  constructor(
    private readonly attempt: Attempt,
    private readonly parts: DurableParts,
    end: LazyAbort,
    state: AttemptState,
  ) {
    const { journals, clock, observer } = parts;
    this.journal = new AttemptJournal(attempt, journals, clock, end);
    end.onAbort((reason) => this.stepEnd.abort(reason));
    const durable = (this.durable = new DurableAttempt(this.journal, clock, state, parts.probe));
    const finished = observer.stepFinished.bind(observer, attempt);
    this.steps = new Steps(durable, { ...parts, attempt, end: this.stepEnd, finished, span: state.span });
    const children = new ChildJobs(durable, { ...parts, attempt, end, span: state.span });
    this.calls = new AttemptCalls({ ...parts, durable, steps: this.steps, children });
  }

  /**
   * Reads the journal of a resumed job. Resolves with the outcome with which the job is to end; with `null` if it goes on.
   *
   * @param cancelled The outcome of a job that was cancelled; `null` if it was not.
   * @throws {EngineError} if the journal cannot be read.
   */
  async decide(cancelled: Outcome | null): Promise<Outcome | null> {
    const { attempt, journal, parts } = this;
    await journal.load();
    const { ending } = journal;
    const isPast = ending?.kind === 'failed' && this.hasFailedWith(ending.error);
    const decided = journal.cancellation ?? (isPast ? null : ending) ?? cancelled;
    // A job that has killed its workers is not run again, also not to undo it.
    if (attempt.lost) return decided ?? lostOutcome(attempt, parts.clock.now());
    this.durable.isUndoing = this.durable.beganUndoing = decided !== null && this.canUndo;
    return decided;
  }

  /** Whether the job has failed with the error already, and was retried. */
  private hasFailedWith({ attempt: number, at }: AttemptError): boolean {
    const { attempt, parts } = this;
    if (attempt.retries >= number) return true;
    return parts.journals.forgetsEnding !== true && attempt.errors.at(-1)?.at === at;
  }

  /** Whether the code only runs to learn how its finished steps are undone. */
  get isUndoing(): boolean {
    return this.durable.isUndoing;
  }

  /** Whether this attempt or an earlier one has appended to the journal: then the next attempt is one that goes on. */
  get isBegun(): boolean {
    return this.attempt.isResumed === true || this.journal.hasAppended;
  }

  /** Whether {@link finish} has work to do. */
  get hasWorkAtEnd(): boolean {
    return this.hasChildren || this.canUndo || this.durable.isBusy;
  }

  /**
   * Before a job ends without success: ends the calls that are under way, cancels the unfinished child jobs, and undoes
   * the steps. The outcome is stored first, so that another attempt goes on with that after a crash. Resolves with the
   * outcome; with a release of the job if another attempt has to undo steps, since the code has died with its thread, or a step
   * was stored too late.
   *
   * @param grace The longest time, in milliseconds, for the calls that are under way.
   * @throws {EngineError} if the engine does not answer.
   */
  async finish(
    outcome: Outcome & { readonly kind: 'failed' | 'cancelled' },
    grace: number,
  ): Promise<Outcome> {
    const settled = this.durable.settled(grace);
    this.stepEnd.abort(
      new TaskCancelledError('The method of the job has ended while this step was running.'),
    );
    await this.journal.append([{ kind: 'ending', outcome }], true);
    await settled;
    this.durable.close();
    if (this.hasChildren) await this.cancelChildren();
    await this.steps.undoAll();
    return this.steps.leavesUndo ? RELEASED : outcome;
  }

  private get canUndo(): boolean {
    return this.steps.canUndo;
  }

  /** Ends the timers of the attempt. */
  close(): void {
    this.durable.close();
  }

  /** No function of the code is called any more. */
  over(): void {
    this.durable.close();
    this.durable.follower?.over();
  }

  /** An earlier attempt may have died between the submission of a child and its record. */
  private get hasChildren(): boolean {
    if (this.attempt.isResumed === true) return true;
    for (const { kind } of this.journal.all()) if (kind === 'call') return true;
    return false;
  }

  private async cancelChildren(): Promise<void> {
    const jobs = {
      status: UNFINISHED,
      task: undefined,
      queue: undefined,
      from: undefined,
      to: undefined,
      dryRun: false,
      finishedBefore: undefined,
      tag: parentTag(this.attempt.taskId),
    };
    const reason = `The parent job ${this.attempt.taskId} failed or was cancelled.`;
    // The submission time of a child is that of another machine's clock, so it is no condition.
    await this.parts.operations?.bulk({ kind: 'cancel', reason }, jobs, Number.MAX_SAFE_INTEGER - 1);
  }
}
