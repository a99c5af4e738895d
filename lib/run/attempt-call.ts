import type { Attempt, Metadata } from '../job/job.js';
import { metadataOf, parentOf, type ScheduleMark, scheduleOf } from '../job/metadata.js';
import type { DurableHost } from './durable/durable-calls.js';
import { AttemptReports, type ReportParts } from './attempt-reports.js';
import { LazyAbort } from './lazy-abort.js';
import type { HostedCall } from './task-definition.js';

const NO_ARGS = Object.freeze([]) as unknown as unknown[];

/** An attempt as its task's code sees it: arguments, signal, and the way to report progress and log lines. */
export abstract class AttemptCall extends LazyAbort implements HostedCall {
  /** A copy for the task's code, which may change it. */
  args: unknown[] = NO_ARGS;
  /** `null` until the first report. */
  reports: AttemptReports | null = null;

  constructor(
    readonly attempt: Attempt,
    private readonly reportParts: ReportParts,
  ) {
    super();
  }

  /** Whether the code runs: reports before and after are ignored. */
  protected abstract get isRunning(): boolean;

  abstract get killGrace(): number;

  /** @throws {FlowrraConfigError} if the engine keeps no journals. */
  abstract get durable(): DurableHost;

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
    return (this.reports ??= new AttemptReports(this.attempt, this.reportParts));
  }
}
