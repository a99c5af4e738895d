import { Logger } from '@nestjs/common';
import { EngineError } from '../../../job/errors.js';
import { shownText } from '../../../job/show-value.js';
import type { BullServer } from './bull-server.js';
import { isWithoutConnection } from './ioredis-internals.js';
import { NoAnswerError } from './shared-timeout.js';

/** The same error is logged again after this long. */
const REPEAT_MS = 60_000;
/** The most different errors that are logged in that time. */
const MAX_ERRORS = 50;

/**
 * Logs the beginning and the end of an outage once: during an outage every call of every worker fails.
 * Logs every other error at most once a minute.
 */
export class OutageLog {
  private readonly logger = new Logger('Flowrra');
  /** Errors of the start reject the start, and errors after the end do not matter. */
  private enabled = false;
  private outage = false;
  /** When each error of the last minute was logged. */
  private readonly loggedAt = new Map<string, number>();

  constructor(private readonly server: Pick<BullServer, 'name' | 'ping' | 'isOutage'>) {}

  /** The start is complete. */
  start(): void {
    this.enabled = true;
  }

  stop(): void {
    this.enabled = false;
    this.outage = false;
  }

  readonly report = (reported: unknown): void => {
    if (!this.enabled) return;
    const error = reported instanceof EngineError ? reported.cause : reported;
    if (!isOutage(this.server, error)) this.log(error);
    else this.begin(error, 'Submissions are rejected until it answers again; then workers go on.');
  };

  /** The start waits for the server. */
  waiting(error: unknown): void {
    this.begin(error, 'The start waits for it.');
  }

  /** During an outage, asks whether the server answers again. The engine calls this every second. */
  async check(): Promise<void> {
    if (!this.outage) return;
    try {
      await this.server.ping();
    } catch {
      return;
    }
    if (this.outage) this.logger.log(`${this.server.name} answers again.`);
    this.outage = false;
  }

  private begin(error: unknown, consequence: string): void {
    if (this.outage) return;
    this.outage = true;
    this.logger.error(`${this.server.name} is unreachable: ${messageOf(error)}. ${consequence}`);
  }

  private log(error: unknown): void {
    const now = performance.now();
    for (const [message, at] of this.loggedAt) if (at <= now - REPEAT_MS) this.loggedAt.delete(message);
    const message = messageOf(error);
    if (this.loggedAt.has(message) || this.loggedAt.size === MAX_ERRORS) return;
    this.loggedAt.set(message, now);
    this.logger.error(`${this.server.name}: ${message}`);
  }
}

/** Whether the server cannot be reached or does not answer, so that the same call may succeed later. */
export function isOutage(server: Pick<BullServer, 'isOutage'>, error: unknown): boolean {
  return error instanceof NoAnswerError || server.isOutage(error);
}

/** The replies of a Redis Cluster to a client for a single server. */
const OF_CLUSTER = /^(MOVED|ASK|CROSSSLOT) /;

/** The message without its full stop. Some AggregateErrors of connections have none: then the messages of their parts. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  // The message of ioredis advises to set an option that Flowrra sets.
  if (isWithoutConnection(error)) return 'Redis is not connected';
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  const shown = shownText(message).replace(/\.$/, '');
  return OF_CLUSTER.test(shown) ? `${shown}. Redis Cluster is not supported` : shown;
}

/** ioredis attaches the command to an error, with every argument: a password must not get into logs. */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error) delete (error as { command?: unknown }).command;
  return error;
}
