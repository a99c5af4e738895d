import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';

interface Wait {
  /** A further condition beside the engine's own. */
  readonly also: (() => MaybePromise<boolean>) | undefined;
  readonly end: () => void;
}

/** Waits until an engine is idle. The engine calls {@link check} after each step towards it. */
export class Idle {
  private readonly waits = new Set<Wait>();

  constructor(
    private readonly clock: Clock,
    private readonly condition: () => boolean,
  ) {}

  get isIdle(): boolean {
    return this.condition();
  }

  /** Resolves when the engine is idle and `also` holds, or after `ms` milliseconds. */
  until(ms: number, also?: () => MaybePromise<boolean>): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancelTimer();
        this.waits.delete(wait);
        resolve();
      };
      const cancelTimer = this.clock.after(ms, end);
      const wait = { also, end };
      this.waits.add(wait);
      void this.look(wait);
    });
  }

  check(): void {
    if (this.waits.size === 0) return;
    for (const wait of this.waits) void this.look(wait);
  }

  private async look({ also, end }: Wait): Promise<void> {
    if (this.condition() && (also === undefined || (await also()))) end();
  }
}
