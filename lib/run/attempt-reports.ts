import { Logger } from '@nestjs/common';
import { type Attempt, type LogLine, MAX_LOG_LINES } from '../job/job.js';
import { type JobControl } from '../engine/control.js';
import type { Clock } from '../job/clock.js';
import { detached } from '../job/async.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';
import { printed, shownText } from '../job/show-value.js';

/** The shortest time between two writes of an attempt's reports. */
const INTERVAL_MS = 250;
const LONGEST_LINE = 2_000;
/** The last report delays the outcome at most this long. */
const LAST_MS = 5_000;

export interface ReportParts {
  readonly control: Pick<JobControl, 'report'> | undefined;
  readonly codec: PayloadCodec;
  readonly observer: RunObserver;
  readonly recorder: ResultRecorder | null;
  readonly clock: Clock;
}

/**
 * Progress and log lines of one attempt. The first report is stored at once, further ones at most a
 * few times a second. A store that fails never disturbs the task.
 */
export class AttemptReports {
  private readonly number: number;
  private pendingProgress: unknown = undefined;
  private lines: LogLine[] = [];
  private cancelTimer: (() => void) | null = null;
  private storing: Promise<void> | null = null;
  private ended = false;

  constructor(
    private readonly attempt: Attempt,
    private readonly parts: ReportParts,
  ) {
    this.number = attempt.retries + 1;
  }

  /** @throws {PayloadError} if the value cannot be serialized, or is too large. */
  progress(value: unknown): void {
    const copy = this.parts.codec.copyProgress(value);
    if (this.ended) return;
    this.pendingProgress = copy === undefined ? null : copy;
    this.parts.observer.progress(this.attempt, this.pendingProgress);
    this.soon();
  }

  log(line: string): void {
    if (this.ended) return;
    const text = cut(String(line));
    this.lines.push({ at: this.parts.clock.now(), attempt: this.number, line: text });
    if (this.lines.length > MAX_LOG_LINES) this.lines.shift();
    this.parts.observer.logged(this.attempt, text);
    this.soon();
  }

  /** Stores the remaining reports. Later ones are ignored. */
  async end(): Promise<void> {
    this.ended = true;
    this.cancelTimer?.();
    let cancel = (): void => {};
    const timeout = new Promise<void>((resolve) => (cancel = this.parts.clock.after(LAST_MS, resolve)));
    await Promise.race([this.rest(), timeout]);
    cancel();
  }

  private async rest(): Promise<void> {
    await this.storing;
    await this.store();
  }

  private soon(): void {
    if (this.cancelTimer !== null || this.storing !== null) return;
    this.storing = detached(() => this.store()).finally(() => {
      this.storing = null;
      if (!this.ended) this.pause();
    });
  }

  private pause(): void {
    this.cancelTimer = detached(() =>
      this.parts.clock.after(INTERVAL_MS, () => {
        this.cancelTimer = null;
        if (this.pendingProgress !== undefined || this.lines.length > 0) this.soon();
      }),
    );
  }

  private async store(): Promise<void> {
    const { pendingProgress: progress, lines } = this;
    if (progress === undefined && lines.length === 0) return;
    this.pendingProgress = undefined;
    this.lines = [];
    try {
      await this.parts.control?.report(this.attempt, { progress, lines });
      this.parts.observer.reported(this.attempt);
      if (progress !== undefined) this.parts.recorder?.progressed(this.attempt, progress);
    } catch (error) {
      new Logger('Flowrra').warn(
        `A report of ${shownText(this.attempt.taskName)} ${shownText(this.attempt.taskId)} could not be stored: ${printed(error)}`,
      );
    }
  }
}

function cut(line: string): string {
  return line.length <= LONGEST_LINE ? line : `${line.slice(0, LONGEST_LINE - 1)}…`;
}
