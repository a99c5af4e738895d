import type { BullRun } from './bull-run.js';
import { reasonIn } from '../job-mapping.js';
import type { JobPlace, ServerJobs } from '../server/server-jobs.js';

/** How often it is asked whether one of the running jobs has been cancelled, in any process. */
const LOOK_MS = 400;

export interface CancelWatchParts {
  readonly jobs: ServerJobs;
  /** What runs here. */
  running(): Iterable<BullRun>;
  /** A running job has been cancelled. */
  cancelled(run: BullRun, reason: string): void;
  /** Called at each look. */
  round(): void;
  /** One that had been put back before it could be told has been cancelled there. */
  ended(run: BullRun, reason: string): void;
  trouble(error: unknown): void;
}

/**
 * Finds out which of this process's running jobs others have cancelled: in real time, as servers
 * live. It asks for no more than those jobs, and not at all while none runs.
 */
export class CancelWatch {
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  /** Put back since the last look: their cancellation may have come before that. */
  private putBack = new Set<BullRun>();

  constructor(private readonly parts: CancelWatchParts) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** To be called when it is stored that an attempt is not its job's last. */
  wasPutBack(run: BullRun): void {
    this.putBack.add(run);
  }

  private async look(): Promise<void> {
    this.parts.round();
    if (this.looking) return;
    const { putBack } = this;
    const running = [...this.parts.running()].filter((run) => run.run.cancelReason === null);
    const asked = [...running, ...putBack];
    if (asked.length === 0) return;
    this.looking = true;
    this.putBack = new Set();
    try {
      const texts = await this.parts.jobs.requested(asked.map(placeOf));
      await Promise.all(asked.map((run, index) => this.tell(run, texts[index] ?? null, putBack.has(run))));
    } catch (error) {
      for (const run of putBack) this.putBack.add(run);
      this.parts.trouble(error);
    } finally {
      this.looking = false;
    }
  }

  private async tell(run: BullRun, text: string | null, isBack: boolean): Promise<void> {
    const reason = reasonIn(text);
    if (reason === null || text === null) return;
    if (!isBack) this.parts.cancelled(run, reason);
    else if ((await this.parts.jobs.cancel(placeOf(run), text)).kind === 'cancelled')
      this.parts.ended(run, reason);
  }
}

export function placeOf({ attempt: { queue, taskId } }: BullRun): JobPlace {
  return { queue, taskId };
}
