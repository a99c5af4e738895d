import type { Attempt, Metadata } from '../job/job.js';
import { metadataOf, parentOf, type ScheduleMark, scheduleOf } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import type { DurableHost } from './durable/durable-calls.js';
import { type DurableParts, DurableRun } from './durable/durable-run.js';
import type { AttemptSpan } from './instrumentation.js';
import { AttemptReports, type ReportParts } from './attempt-reports.js';
import { LazyAbort } from './lazy-abort.js';
import type { OnceSource } from './once-source.js';
import type { HostedCall } from './task-definition.js';

export interface AttemptCallParts {
  readonly reports: ReportParts;
  /** `null` if the engine keeps no journals. */
  readonly durable: DurableParts | null;
  /** The error for the use of journals that the engine does not keep. */
  readonly noJournals: () => Error;
  /** @throws {FlowrraConfigError} if there is no outbox. */
  readonly once: () => OnceSource;
}

const NO_ARGS = Object.freeze([]) as unknown as unknown[];

/** An attempt as its task's code sees it: arguments, signal, and the way to report progress and log lines. */
export abstract class AttemptCall extends LazyAbort implements HostedCall {
  /** A copy for the task's code, which may change it. */
  args: unknown[] = NO_ARGS;
  /** `null` until the first report. */
  reports: AttemptReports | null = null;
  /** `null` until the code uses it, unless an earlier attempt did. */
  protected durableRun: DurableRun | null = null;

  constructor(
    readonly attempt: Attempt,
    protected readonly parts: AttemptCallParts,
  ) {
    super();
  }

  /** Whether the code runs: reports before and after are ignored. */
  abstract get isRunning(): boolean;

  abstract get killGrace(): number;

  /** `null` without an instrumentation. */
  protected abstract readonly span: AttemptSpan | null;
  /** The code waits for something that another attempt will find. */
  protected abstract suspend(outcome: Outcome): void;

  /** @throws {FlowrraConfigError} if the engine keeps no journals. */
  get durable(): DurableHost {
    return this.journalled().calls;
  }

  /** @throws {FlowrraConfigError} if there is no outbox. */
  get once(): OnceSource {
    return this.parts.once();
  }

  protected journalled(): DurableRun {
    const { durable, noJournals } = this.parts;
    if (durable === null) throw noJournals();
    return (this.durableRun ??= new DurableRun(this.attempt, durable, this, {
      isRunning: () => this.isRunning,
      span: () => this.span,
      suspend: (outcome) => this.suspend(outcome),
    }));
  }

  get parentId(): string | null {
    return parentOf(this.attempt.metadata) ?? null;
  }

  get taskId(): string {
    return this.attempt.taskId;
  }

  get taskName(): string {
    return this.attempt.taskName;
  }

  get attemptNumber(): number {
    return this.attempt.retries + 1;
  }

  get submittedAt(): number {
    return this.attempt.submittedAt;
  }

  get priority(): number {
    return this.attempt.priority;
  }

  get metadata(): Metadata {
    return metadataOf(this.attempt.metadata);
  }

  get schedule(): ScheduleMark | undefined {
    return scheduleOf(this.attempt.metadata);
  }

  progress(value: unknown): void {
    if (this.isRunning) this.reporting.progress(value);
  }

  log(line: string): void {
    if (this.isRunning) this.reporting.log(line);
  }

  private get reporting(): AttemptReports {
    return (this.reports ??= new AttemptReports(this.attempt, this.parts.reports));
  }
}
