import type { Clock } from '../job/clock.js';

/** Waits until a condition holds, asked again at each `check`, or until time is up. */
export class Quiet {
  readonly done: Promise<void>;
  private resolve!: () => void;
  private readonly cancelTimer: () => void;

  constructor(
    clock: Clock,
    ms: number,
    private readonly holds: () => Promise<boolean>,
  ) {
    this.done = new Promise((resolve) => (this.resolve = resolve));
    this.cancelTimer = clock.after(ms, this.resolve);
    this.check();
  }

  check(): void {
    void this.holds().then((holds) => {
      if (!holds) return;
      this.cancelTimer();
      this.resolve();
    });
  }
}
