import { type Clock, steadyTime } from '../job/clock.js';

/** How often a relay looks for jobs if it is told of none. */
export const IDLE_MS = 1_000;
/** The pauses between looks after an insertion in this process, whose commit nothing tells: the last one repeats. */
const SOON_MS = [4, 8, 16, 32];
const LAST_SOON_MS = 50;
/** How long a relay looks often after an insertion; then it looks as often as an idle one. */
const SOON_UNTIL_MS = 5_000;
/** More jobs are not expected one by one: other relays may have found them, or none may look here. */
const MOST_EXPECTED = 1_000;

/** Tells a relay when to look: at once, soon after an insertion, or a second later. */
export class WakeUps {
  private cancelTimer: (() => void) | null = null;
  /** The steady time at which the timer fires. */
  private due = 0;
  private wake: (() => void) | null = null;
  private isAwake = false;
  /** The jobs that were inserted here, and have not been found. */
  private readonly expected = new Set<string>();
  /** The number of looks since the last insertion. */
  private looks = 0;
  private spentMs = 0;

  constructor(private readonly clock: Clock) {}

  /** Ends the current wait, or the next one. */
  now(): void {
    this.isAwake = true;
    this.wake?.();
  }

  /** Jobs were inserted, and will be committed or rolled back at some time. */
  inserted(taskIds: readonly string[]): void {
    for (const taskId of taskIds) this.expected.add(taskId);
    for (const oldest of this.expected) {
      if (this.expected.size <= MOST_EXPECTED) break;
      this.expected.delete(oldest);
    }
    this.looks = 0;
    this.spentMs = 0;
    if (this.wake !== null) this.arm(this.pause());
  }

  /** A job was found. */
  found(taskId: string): void {
    this.expected.delete(taskId);
  }

  /** Resolves when the relay should look. @param ms At the latest after this time. */
  async wait(ms: number = IDLE_MS): Promise<void> {
    if (!this.isAwake)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        this.arm(Math.min(ms, this.pause()));
      });
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.wake = null;
    this.isAwake = false;
  }

  /** An earlier look stays: otherwise insertions in quick succession would put it off again and again. */
  private arm(ms: number): void {
    const due = steadyTime(this.clock) + ms;
    if (this.cancelTimer !== null && this.due <= due) return;
    this.cancelTimer?.();
    this.due = due;
    this.cancelTimer = this.clock.after(ms, () => this.now(), { background: true });
  }

  /** The time until the next look. */
  private pause(): number {
    if (this.spentMs >= SOON_UNTIL_MS) this.expected.clear();
    if (this.expected.size === 0) return IDLE_MS;
    const ms = SOON_MS[this.looks++] ?? LAST_SOON_MS;
    this.spentMs += ms;
    return ms;
  }
}
