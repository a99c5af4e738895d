import { cancelReasonIn } from '../job-mapping.js';
import type { ServerJobs } from '../server/bull-server.js';
import type { OutageLog } from '../server/outage-log.js';
import type { BullAttempt } from './bull-attempt.js';
import type { BullRuns } from './bull-runs.js';

const INTERVAL_MS = 400;

/**
 * Finds running jobs that another process has cancelled, in real time, since servers live in real time.
 * It reads only the jobs that run here, and nothing while none runs.
 */
export class CancelWatch {
  private timer: NodeJS.Timeout | null = null;
  private checking = false;
  /** Attempts released since the last check: their jobs may have been cancelled before. */
  private released = new Set<BullAttempt>();

  /** @param ended Called when a released job has ended as cancelled. */
  constructor(
    private readonly jobs: Pick<ServerJobs, 'cancelTexts' | 'cancel'>,
    private readonly runs: BullRuns,
    private readonly outages: Pick<OutageLog, 'report'>,
    private readonly ended: (attempt: BullAttempt, reason: string) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.check(), INTERVAL_MS);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** To be called when the outcome of an attempt is stored and its job waits again. */
  wasReleased(attempt: BullAttempt): void {
    this.released.add(attempt);
  }

  private async check(): Promise<void> {
    this.runs.nextRound();
    if (this.checking) return;
    const { released } = this;
    const attempts: BullAttempt[] = [];
    for (const { run, attempt } of this.runs) if (run.cancelReason === null) attempts.push(attempt);
    attempts.push(...released);
    if (attempts.length === 0) return;
    this.checking = true;
    this.released = new Set();
    try {
      const texts = await this.jobs.cancelTexts(attempts);
      await Promise.all(
        attempts.map((attempt, index) => this.apply(attempt, texts[index] ?? null, released)),
      );
    } catch (error) {
      for (const attempt of released) this.released.add(attempt);
      this.outages.report(error);
    } finally {
      this.checking = false;
    }
  }

  private async apply(
    attempt: BullAttempt,
    text: string | null,
    released: ReadonlySet<BullAttempt>,
  ): Promise<void> {
    const reason = cancelReasonIn(text);
    if (reason === null || text === null) return;
    if (!released.has(attempt)) this.runs.cancel(attempt.taskId, reason);
    else if ((await this.jobs.cancel(attempt, text)).kind === 'cancelled') this.ended(attempt, reason);
  }
}
