import { EngineError, ExecutorNotRunningError, FlowrraError } from '../../../job/errors.js';
import type { BullServer } from './bull-server.js';
import { messageOf, withoutCommand } from './outage-log.js';
import { NoAnswerError, type SharedTimeout } from './shared-timeout.js';

/** The call was never sent. */
export class NotSentError extends Error {}

/** The error of a call that was not sent before the engine was closed. */
export function closedBeforeSent(): Error {
  return new ExecutorNotRunningError('The engine was closed before this call was sent to the server.');
}

interface Waiting {
  start(): void;
  reject(error: Error): void;
}

/**
 * Limits concurrent calls (FIFO). The timeout starts when a call is sent. If one call times out, all
 * queued calls are rejected with {@link NotSentError}.
 */
export class CallLimiter {
  private running = 0;
  private waiting: Waiting[] = [];
  private closed = false;

  constructor(
    private readonly maxConcurrent: number,
    private readonly timeout: SharedTimeout,
  ) {}

  /** @throws {ExecutorNotRunningError} if the limiter was closed before the call was sent. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(closedBeforeSent());
    if (this.running < this.maxConcurrent) return this.send(call);
    return new Promise((resolve, reject) => {
      this.waiting.push({ start: () => void this.send(call).then(resolve, reject), reject });
    });
  }

  /** Rejects queued calls; sent calls go on. */
  close(): void {
    this.closed = true;
    for (const { reject } of this.waiting.splice(0)) reject(closedBeforeSent());
  }

  private async send<T>(call: () => Promise<T>): Promise<T> {
    this.running++;
    try {
      return await this.timeout.limit(call());
    } catch (error) {
      if (error instanceof NoAnswerError) this.rejectWaiting(error);
      throw error;
    } finally {
      this.running--;
      this.waiting.shift()?.start();
    }
  }

  private rejectWaiting({ message }: NoAnswerError): void {
    for (const { reject } of this.waiting.splice(0))
      reject(new NotSentError(`earlier calls have had ${message}`));
  }
}

/** Reads from the server, limited in number and time, with errors of Flowrra. */
export class ServerReads {
  private readonly limiter: CallLimiter;

  constructor(
    private readonly server: Pick<BullServer, 'name' | 'maxReads'>,
    timeout: SharedTimeout,
  ) {
    this.limiter = new CallLimiter(server.maxReads, timeout);
  }

  /** @throws {EngineError} if the server does not answer, or answers with an error. */
  readonly run = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await this.limiter.run(read);
    } catch (cause) {
      if (cause instanceof FlowrraError) throw cause;
      throw new EngineError(`${this.server.name} could not be queried: ${messageOf(cause)}`, {
        cause: withoutCommand(cause),
      });
    }
  };

  close(): void {
    this.limiter.close();
  }
}
