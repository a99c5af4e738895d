import type { Clock } from 'flowrra';
import { type Attempt, detached, RateWindow, type ResolvedQueue } from 'flowrra/engine';

export interface QueueLoopParts {
  readonly clock: Clock;
  claim(queue: string): Attempt | null;
  /** When the next job is due, in milliseconds since the epoch; `null` if none comes due. */
  nextDue(queue: string): number | null;
  start(attempt: Attempt, loop: QueueLoop): void;
  /** A job could not be claimed. */
  failed(error: unknown): void;
}

/** After this many starts without a pause, other work of the process gets a turn. */
const MAX_STARTS = 50;
const RETRY_MS = 1_000;

/** Claims and starts the due jobs of one queue while it has free places. */
export class QueueLoop {
  private readonly rate: RateWindow | null;
  private active = 0;
  private isOpen = false;
  private isFilling = false;
  private isWoken = false;
  private cancelTimer: (() => void) | null = null;

  constructor(
    private readonly queue: ResolvedQueue,
    private readonly parts: QueueLoopParts,
  ) {
    this.rate = queue.rateLimit === null ? null : new RateWindow(queue.rateLimit);
  }

  open(): void {
    this.isOpen = true;
    this.wake();
  }

  /** Starts no more jobs. */
  close(): void {
    this.isOpen = false;
    this.stopTimer();
  }

  /** A place is free again. */
  release(): void {
    this.active--;
    this.wake();
  }

  /** Claims in a microtask: a job must not start inside its `submit`. */
  wake(): void {
    if (this.isWoken || this.isFilling || !this.isOpen) return;
    this.isWoken = true;
    detached(() => queueMicrotask(() => this.fill()));
  }

  private fill(): void {
    this.isWoken = false;
    this.isFilling = true;
    this.stopTimer();
    try {
      this.startDue();
    } catch (error) {
      this.parts.failed(error);
      this.wakeAt(this.parts.clock.now() + RETRY_MS);
    }
    this.isFilling = false;
  }

  private startDue(): void {
    const { clock } = this.parts;
    for (let starts = 0; this.isOpen && this.active < this.queue.concurrency; starts++) {
      if (this.rate?.left(clock.now()) === 0) return this.wakeAt(this.rate.endsAt);
      if (starts === MAX_STARTS) {
        this.isWoken = true;
        setImmediate(() => this.fill());
        return;
      }
      const attempt = this.parts.claim(this.queue.name);
      if (attempt === null) return this.wakeAt(this.parts.nextDue(this.queue.name));
      this.active++;
      this.rate?.take(1, clock.now());
      this.parts.start(attempt, this);
    }
  }

  private wakeAt(due: number | null): void {
    if (due === null || !this.isOpen) return;
    const { clock } = this.parts;
    this.cancelTimer = clock.after(Math.max(0, due - clock.now()), () => this.fill());
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }
}
