import { detached } from '../../../job/async.js';

/**
 * Looks at short intervals whether another process has written to the file: asking takes a
 * microsecond or two. The intervals are real time, whatever clock the engine lives by, since other
 * processes live in real time.
 */
export class ChangeWatch {
  private timer: NodeJS.Timeout | null = null;
  private seen = 0;

  /** @param version Changes whenever another process has written. */
  constructor(
    private readonly version: () => number,
    private readonly changed: () => void,
  ) {}

  start(interval: number): void {
    this.seen = this.version();
    this.timer = detached(() => setInterval(this.look, interval));
    this.timer.unref();
  }

  /** A process that runs jobs has a reason to stay alive, though nothing may be due for days. */
  keepAlive(): void {
    this.timer?.ref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private readonly look = (): void => {
    try {
      const version = this.version();
      if (version === this.seen) return;
      this.seen = version;
      this.changed();
    } catch {
      // A file that cannot be read is reported where its content is needed.
    }
  };
}
