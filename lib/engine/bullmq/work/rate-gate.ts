import type { Clock } from '../../../job/clock.js';
import { type RateLimit, RateWindow } from '../../../job/queue.js';

interface Held {
  /** @param start Whether it may start; otherwise it is to be given back. */
  go(start: boolean): void;
}

/**
 * Lets so many attempts of this process start within a time, counted from the first of them. What
 * BullMQ had handed out already when the last of them began is held, in its order.
 */
export class RateGate {
  private readonly window: RateWindow;
  private readonly held = new Set<Held>();
  private timer: (() => void) | null = null;
  private closed = false;

  /**
   * @param shut Told when no more is to be handed out.
   * @param reopened Told when there is room again.
   */
  constructor(
    limit: RateLimit,
    private readonly clock: Clock,
    private readonly shut: () => void,
    private readonly reopened: () => void,
  ) {
    this.window = new RateWindow(limit);
  }

  /**
   * Resolves with whether it may start now.
   *
   * @param onCancel Takes what is to be called if it need not wait any more.
   */
  enter(onCancel: (leave: () => void) => void): true | Promise<boolean> {
    if (this.closed) return Promise.resolve(false);
    if (this.held.size === 0 && this.count()) return true;
    return new Promise((resolve) => {
      const held: Held = { go: resolve };
      this.held.add(held);
      onCancel(() => this.held.delete(held) && resolve(true));
    });
  }

  /** Gives back what is held, and lets nothing more start. */
  close(): void {
    this.closed = true;
    this.timer?.();
    this.timer = null;
    for (const { go } of this.held) go(false);
    this.held.clear();
  }

  /** Counts a start, if there is room for it. */
  private count(): boolean {
    const now = this.clock.now();
    if (this.window.left(now) === 0) return false;
    this.window.take(1, now);
    if (this.window.left(now) === 0) this.fill(this.window.endsAt - now);
    return true;
  }

  private fill(ms: number): void {
    this.shut();
    this.timer = this.clock.after(ms, () => {
      this.timer = null;
      for (const held of this.held) {
        if (!this.count()) break;
        this.held.delete(held);
        held.go(true);
      }
      if (this.timer === null) this.reopened();
    });
  }
}
