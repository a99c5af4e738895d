import type { Clock } from '../../job/clock.js';
import { detached, type MaybePromise, isPromise } from '../../job/async.js';
import type { Attempt } from '../../job/job.js';
import { type ResolvedQueue, RateWindow } from '../../job/queue.js';
import type { JobStore } from './job-store.js';
import type { TimeSlice } from './loop-budget.js';

export interface LaneParts {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly slice: TimeSlice;
  /** Runs a claimed attempt. The lane's place is free again when `release` is called. */
  start(attempt: Attempt, lane: Lane): void;
  /** Gives back what was claimed while the lane was paused. */
  refuse(attempts: readonly Attempt[]): void;
  /** Reports a store that could not be read. */
  failed(error: unknown): void;
  /** Told when a claim has come to nothing. */
  idle(): void;
}

/** How long to wait before reading a store again that could not be read. */
const RETRY_MS = 1_000;

/** One queue at work: claims due jobs while it has free places, and wakes up when a delayed one is due. */
export class Lane {
  private active = 0;
  private open = false;
  private claiming = false;
  /** A claim that the store takes its time for. */
  private awaited: Promise<readonly Attempt[]> | null = null;
  private woken = false;
  private cancelTimer: (() => void) | null = null;
  private timerDue = Infinity;

  readonly queue: string;
  private readonly concurrency: number;
  private readonly rate: RateWindow | null;

  constructor(
    { name, concurrency, rateLimit }: ResolvedQueue,
    private readonly parts: LaneParts,
  ) {
    this.queue = name;
    this.concurrency = concurrency;
    this.rate = rateLimit === null ? null : new RateWindow(rateLimit);
  }

  /** Whether jobs may be on their way out of the store. */
  get isWaiting(): boolean {
    return this.awaited !== null;
  }

  resume(): void {
    this.open = true;
    this.wake();
  }

  /** Hands out no more; what runs goes on. */
  pause(): void {
    this.open = false;
    this.cancelWakeUp();
  }

  /** Claims soon, but not inside the caller: whoever submits must not find itself running the job. */
  wake(): void {
    if (this.woken || !this.open || this.active >= this.concurrency) return;
    this.woken = true;
    detached(() => queueMicrotask(this.onWoken));
  }

  /** What was known of the store counts no more; nor does a wake-up that was set by it, or by another time. */
  lookAgain(): void {
    this.cancelWakeUp();
    this.wake();
  }

  /** An attempt has its outcome: its place is free. */
  release(): void {
    this.active--;
    this.pump();
  }

  /** Fills the free places with due jobs. */
  pump(): void {
    if (!this.open || this.claiming) return;
    this.claiming = true;
    try {
      while (this.open && this.active < this.concurrency) {
        const now = this.parts.clock.now();
        if (!this.parts.slice.take(now)) break;
        const places = this.places(now);
        if (places === 0) {
          this.wakeAt(this.rate?.endsAt ?? null);
          break;
        }
        const claimed = this.parts.store.claim(this.queue, places, now);
        if (isPromise(claimed)) return this.later(claimed);
        if (claimed.length === 0) {
          this.sleep();
          break;
        }
        this.startAll(claimed);
      }
    } catch (error) {
      this.troubled(error);
    }
    this.claiming = false;
  }

  private readonly onWoken = (): void => {
    this.woken = false;
    this.pump();
  };

  /** How many attempts may start now. */
  private places(now: number): number {
    const free = this.concurrency - this.active;
    return this.rate === null ? free : Math.min(free, this.rate.left(now));
  }

  private startAll(claimed: readonly Attempt[]): void {
    this.active += claimed.length;
    this.rate?.take(claimed.length, this.parts.clock.now());
    for (const attempt of claimed) this.parts.start(attempt, this);
  }

  private later(claimed: Promise<readonly Attempt[]>): void {
    this.awaited = claimed;
    claimed.then(
      (attempts) => {
        this.claiming = false;
        this.awaited = null;
        if (!this.open) this.parts.refuse(attempts);
        else if (attempts.length === 0) this.sleep();
        else {
          this.startAll(attempts);
          return this.pump();
        }
        this.parts.idle();
      },
      (error: unknown) => {
        this.claiming = false;
        this.awaited = null;
        this.troubled(error);
        this.parts.idle();
      },
    );
  }

  private troubled(error: unknown): void {
    this.parts.failed(error);
    this.wakeAt(this.parts.clock.now() + RETRY_MS);
  }

  private sleep(): void {
    let due: MaybePromise<number | null>;
    try {
      due = this.parts.store.nextDue(this.queue);
    } catch (error) {
      return this.troubled(error);
    }
    if (isPromise(due))
      due.then(
        (at) => this.wakeAt(at),
        (error: unknown) => this.troubled(error),
      );
    else this.wakeAt(due);
  }

  /** One timer for the whole queue, moved only to an earlier time. */
  private wakeAt(due: number | null): void {
    if (due === null || !this.open || due >= this.timerDue) return;
    this.cancelWakeUp();
    this.timerDue = due;
    this.cancelTimer = detached(() =>
      this.parts.clock.after(Math.max(0, due - this.parts.clock.now()), () => {
        this.cancelTimer = null;
        this.timerDue = Infinity;
        this.pump();
      }),
    );
  }

  private cancelWakeUp(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.timerDue = Infinity;
  }
}
