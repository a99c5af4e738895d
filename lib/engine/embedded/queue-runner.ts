import type { Clock } from '../../job/clock.js';
import { detached, type MaybePromise, isPromise } from '../../job/async.js';
import type { Attempt } from '../../job/job.js';
import { type ResolvedQueue, RateWindow } from '../../job/queue.js';
import type { Idle } from '../idle.js';
import type { OpenStore } from './job-store.js';
import type { LoopBudget } from './loop-budget.js';
import type { OutcomeWriter } from './outcome-writer.js';

export interface QueueRunnerParts {
  readonly store: Pick<OpenStore, 'claim' | 'nextDue'>;
  readonly clock: Clock;
  readonly budget: LoopBudget;
  readonly idle: Pick<Idle, 'check'>;
  readonly outcomes: Pick<OutcomeWriter, 'write'>;
  /** Runs a claimed attempt. Its place is free again when `runner.release()` is called. */
  start(attempt: Attempt, runner: QueueRunner): void;
  /** The store could not be read. */
  failed(error: unknown): void;
}

/** How long to wait before a store that could not be read is read again. */
const RETRY_MS = 1_000;

/** Claims and starts due jobs of one queue while it has free places, and wakes up when a delayed job is due. */
export class QueueRunner {
  private active = 0;
  private open = false;
  private claiming = false;
  /** A claim that the store has not answered yet. */
  private awaited: Promise<readonly Attempt[]> | null = null;
  private woken = false;
  private cancelTimer: (() => void) | null = null;
  private timerDue = Infinity;

  readonly queue: string;
  private readonly concurrency: number;
  private readonly rate: RateWindow | null;

  constructor(
    { name, concurrency, rateLimit }: ResolvedQueue,
    private readonly parts: QueueRunnerParts,
  ) {
    this.queue = name;
    this.concurrency = concurrency;
    this.rate = rateLimit === null ? null : new RateWindow(rateLimit);
  }

  /** Whether the store may still answer a claim with jobs. */
  get isClaiming(): boolean {
    return this.awaited !== null;
  }

  resume(): void {
    this.open = true;
    this.wake();
  }

  /** Starts no more jobs; running ones go on. */
  pause(): void {
    this.open = false;
    this.cancelWakeUp();
  }

  /** When the next job may start, in milliseconds since the epoch; `null` if none comes due. */
  async nextDue(): Promise<number | null> {
    const due = await this.parts.store.nextDue(this.queue);
    const { rate } = this;
    if (due === null || rate === null || rate.left(this.parts.clock.now()) > 0) return due;
    return Math.max(due, rate.endsAt);
  }

  /** Claims in a microtask, so that a job never runs inside its `submit`. */
  wake(): void {
    if (this.woken || !this.open || this.active >= this.concurrency) return;
    this.woken = true;
    detached(() => queueMicrotask(this.onWoken));
  }

  /** The store or the clock has changed, so the time of the wake-up may be wrong. */
  lookAgain(): void {
    this.cancelWakeUp();
    this.wake();
  }

  /** An attempt has ended: its place is free. */
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
        if (!this.parts.budget.take(now)) break;
        const places = this.places(now);
        if (places === 0) {
          this.wakeAt(this.rate?.endsAt ?? null);
          break;
        }
        const claimed = this.parts.store.claim(this.queue, places, now);
        if (isPromise(claimed)) return this.startLater(claimed);
        if (claimed.length === 0) {
          this.sleep();
          break;
        }
        this.startAll(claimed);
      }
    } catch (error) {
      this.retry(error);
    }
    this.claiming = false;
  }

  private readonly onWoken = (): void => {
    this.woken = false;
    this.pump();
  };

  /** The number of attempts that may start now. */
  private places(now: number): number {
    const free = this.concurrency - this.active;
    return this.rate === null ? free : Math.min(free, this.rate.left(now));
  }

  private startAll(claimed: readonly Attempt[]): void {
    this.active += claimed.length;
    this.rate?.take(claimed.length, this.parts.clock.now());
    for (const attempt of claimed) this.parts.start(attempt, this);
  }

  private startLater(claimed: Promise<readonly Attempt[]>): void {
    this.awaited = claimed;
    claimed.then(
      (attempts) => {
        this.claiming = false;
        this.awaited = null;
        if (!this.open) this.releaseAll(attempts);
        else if (attempts.length === 0) this.sleep();
        else {
          this.startAll(attempts);
          return this.pump();
        }
        this.parts.idle.check();
      },
      (error: unknown) => {
        this.claiming = false;
        this.awaited = null;
        this.retry(error);
        this.parts.idle.check();
      },
    );
  }

  private retry(error: unknown): void {
    this.parts.failed(error);
    this.wakeAt(this.parts.clock.now() + RETRY_MS);
  }

  /** Releases jobs that were claimed while the runner was paused. */
  private releaseAll(attempts: readonly Attempt[]): void {
    for (const attempt of attempts)
      this.parts.outcomes.write(attempt, { kind: 'released', delay: 0 }, () => undefined);
  }

  private sleep(): void {
    let due: MaybePromise<number | null>;
    try {
      due = this.parts.store.nextDue(this.queue);
    } catch (error) {
      return this.retry(error);
    }
    if (isPromise(due))
      due.then(
        (at) => this.wakeAt(at),
        (error: unknown) => this.retry(error),
      );
    else this.wakeAt(due);
  }

  /** One timer for the queue, which is only ever moved to an earlier time. */
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
