import type { Clock } from '../../../job/clock.js';
import { type RateLimit, RateWindow } from '../../../job/queue.js';

interface Held {
  /** @param start Whether the attempt may start; otherwise its job is released. */
  resolve(start: boolean): void;
}

/**
 * Limits the starts of this process within a window of time that begins with its first start. If the limit is
 * reached, no more jobs are claimed, and attempts that BullMQ had handed out before are held (FIFO).
 */
export class RateGate {
  private readonly window: RateWindow;
  private readonly held = new Set<Held>();
  private timer: (() => void) | null = null;
  private closed = false;

  /**
   * @param full Called when the limit is reached.
   * @param reopened Called when attempts may start again.
   */
  constructor(
    limit: RateLimit,
    private readonly clock: Clock,
    private readonly full: () => void,
    private readonly reopened: () => void,
  ) {
    this.window = new RateWindow(limit);
  }

  /**
   * Resolves with whether an attempt may start now.
   *
   * @param onCancel Takes a function that ends the wait: a cancelled attempt is no start.
   */
  enter(onCancel: (leave: () => void) => void): true | Promise<boolean> {
    if (this.closed) return Promise.resolve(false);
    if (this.held.size === 0 && this.count()) return true;
    return new Promise((resolve) => {
      const held: Held = { resolve };
      this.held.add(held);
      onCancel(() => this.held.delete(held) && resolve(true));
    });
  }

  /** Releases held attempts. No attempt starts afterwards. */
  close(): void {
    this.closed = true;
    this.timer?.();
    this.timer = null;
    for (const { resolve } of this.held) resolve(false);
    this.held.clear();
  }

  /** Counts a start; `false` if the limit is reached. */
  private count(): boolean {
    const now = this.clock.now();
    if (this.window.left(now) === 0) return false;
    this.window.take(1, now);
    if (this.window.left(now) === 0) this.waitFor(this.window.endsAt - now);
    return true;
  }

  private waitFor(ms: number): void {
    this.full();
    this.timer = this.clock.after(ms, () => {
      this.timer = null;
      for (const held of this.held) {
        if (!this.count()) break;
        this.held.delete(held);
        held.resolve(true);
      }
      if (this.timer === null) this.reopened();
    });
  }
}
