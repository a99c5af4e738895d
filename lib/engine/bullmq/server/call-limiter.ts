import { ExecutorNotRunningError } from '../../../job/errors.js';
import { type Patience, SilenceError } from './io-time.js';

/** What was asked has not left this process, and will not. */
export class NotSentError extends Error {}

/** Why something has not left this process when it closes. */
export function stoppedUnsent(): Error {
  return new ExecutorNotRunningError('The executor stopped before this had been sent to its server.');
}

interface Waiting {
  start(): void;
  refuse(error: Error): void;
}

/**
 * Lets so many calls be under way at a time, first come, first served. A call's time counts from when
 * it is sent, so that many calls at once are no silence of the server's; but when it is silent to one,
 * those that wait are refused.
 */
export class Sluice {
  private underWay = 0;
  private waiting: Waiting[] = [];
  private closed = false;

  constructor(
    private readonly width: number,
    private readonly patience: Patience,
  ) {}

  /** @throws {ExecutorNotRunningError} if it was closed before the call was sent. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(stoppedUnsent());
    if (this.underWay < this.width) return this.send(call);
    return new Promise((resolve, refuse) => {
      this.waiting.push({ start: () => void this.send(call).then(resolve, refuse), refuse });
    });
  }

  /** Sends no more; those that are under way go on. */
  close(): void {
    this.closed = true;
    for (const { refuse } of this.waiting.splice(0)) refuse(stoppedUnsent());
  }

  private async send<T>(call: () => Promise<T>): Promise<T> {
    this.underWay++;
    try {
      return await this.patience.with(call());
    } catch (error) {
      if (error instanceof SilenceError) this.refuseAll(error);
      throw error;
    } finally {
      this.underWay--;
      this.waiting.shift()?.start();
    }
  }

  private refuseAll({ message }: SilenceError): void {
    for (const { refuse } of this.waiting.splice(0))
      refuse(new NotSentError(`earlier calls have had ${message}`));
  }
}
