import type { AbortHandle } from '../engine/engine.js';
import type { Attempt, Metadata } from '../job/job.js';
import type { TaskCall } from './task-definition.js';
import { metadataOf } from '../job/metadata.js';
import { AttemptReports, type ReportParts } from './attempt-reports.js';

/** One call of a task's code, and what that code says while it runs. */
export class AttemptCall implements TaskCall {
  /** Most attempts say nothing. */
  private reports: AttemptReports | null | 'over' = null;

  constructor(
    private readonly of: Attempt,
    readonly args: unknown[],
    readonly abort: AbortHandle,
    readonly killGrace: number,
    private readonly parts: ReportParts,
  ) {}

  get taskId(): string {
    return this.of.taskId;
  }

  get taskName(): string {
    return this.of.taskName;
  }

  get attempt(): number {
    return this.of.retries + 1;
  }

  get submittedAt(): number {
    return this.of.submittedAt;
  }

  get priority(): number {
    return this.of.priority;
  }

  get metadata(): Metadata {
    return metadataOf(this.of.metadata);
  }

  progress(value: unknown): void {
    if (this.reports !== 'over') this.reporting(this.reports).progress(value);
  }

  log(line: string): void {
    if (this.reports !== 'over') this.reporting(this.reports).log(line);
  }

  /**
   * Keeps what has been said and is not kept yet, before the attempt's outcome is; `null` if nothing
   * was ever said. What the code says from now on, it says too late.
   */
  lastReport(): Promise<void> | null {
    const { reports } = this;
    this.reports = 'over';
    return reports === null || reports === 'over' ? null : reports.end();
  }

  private reporting(present: AttemptReports | null): AttemptReports {
    return present ?? (this.reports = new AttemptReports(this.of, this.parts));
  }
}
