import type { AbortHandle, Attempt, Metadata } from '../engine/engine.interface.js';
import type { TaskCall } from '../runner/task-runner.interface.js';
import { AttemptReports, type ReportParts } from './attempt-reports.js';

const NO_METADATA: Metadata = Object.freeze({});

/** One call of a task's code, and what that code says while it runs. */
export class AttemptCall implements TaskCall {
  /** Most attempts say nothing. */
  private reports: AttemptReports | null = null;
  private over = false;

  constructor(
    private readonly of: Attempt,
    readonly args: unknown[],
    readonly abort: AbortHandle,
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
    return this.of.metadata ?? NO_METADATA;
  }

  get killGrace(): number {
    return this.abort.killGrace;
  }

  progress(value: unknown): void {
    if (!this.over) this.reporting.progress(value);
  }

  log(line: string): void {
    if (!this.over) this.reporting.log(line);
  }

  /**
   * Keeps what has been said and is not kept yet, before the attempt's outcome is; `null` if nothing
   * was ever said. What the code says from now on, it says too late.
   */
  lastReport(): Promise<void> | null {
    this.over = true;
    return this.reports === null ? null : this.reports.end();
  }

  private get reporting(): AttemptReports {
    return (this.reports ??= new AttemptReports(this.of, this.parts));
  }
}
