import { Logger } from '@nestjs/common';
import { EngineError } from '../../../job/errors.js';
import { shownText } from '../../../job/show-value.js';
import type { BullServer } from './bull-server.js';
import { SilenceError } from './io-time.js';

/** An error that is no outage, but lasts as one does, is logged again after this long. */
const REPEAT_MS = 60_000;
/** So many different ones are logged in that time. */
const MOST_ERRORS = 50;

/**
 * Tells of a server's trouble, and of its end, once: while it lasts, every call of every worker fails.
 * Of errors of other kinds, it tells in the same words once a minute.
 */
export class Trouble {
  private readonly logger = new Logger('Flowrra');
  /** Before that, whoever starts is told by a rejection. */
  private started = false;
  private away = false;
  /** When each error of the last minute was logged. */
  private readonly logged = new Map<string, number>();

  /** @param server Asked for when there is trouble: it may begin while the server is being made. */
  constructor(private readonly server: () => BullServer) {}

  start(): void {
    this.started = true;
  }

  /** What breaks afterwards was let go of. */
  stop(): void {
    this.started = false;
    this.away = false;
  }

  readonly report = (reported: unknown): void => {
    if (!this.started) return;
    const error = reported instanceof EngineError ? reported.cause : reported;
    if (!isOutage(this.server(), error)) this.log(error);
    else this.begin(error, 'Submissions are refused meanwhile; work goes on when it is back.');
  };

  /** The start waits for the server. */
  waiting(error: unknown): void {
    this.begin(error, 'The start waits for it.');
  }

  /** To be called now and then: says when the server answers again. */
  async look(): Promise<void> {
    if (!this.away) return;
    try {
      await this.server().ping();
    } catch {
      return;
    }
    if (this.away) this.logger.log(`${this.server().name} answers again.`);
    this.away = false;
  }

  private begin(error: unknown, meanwhile: string): void {
    if (this.away) return;
    this.away = true;
    this.logger.error(`${this.server().name} is out of reach: ${messageOf(error)}. ${meanwhile}`);
  }

  private log(error: unknown): void {
    const now = performance.now();
    for (const [words, at] of this.logged) if (at <= now - REPEAT_MS) this.logged.delete(words);
    const words = messageOf(error);
    if (this.logged.has(words) || this.logged.size === MOST_ERRORS) return;
    this.logged.set(words, now);
    this.logger.error(`${this.server().name}: ${words}`);
  }
}

/** Whether the server cannot be reached, or says nothing, which passes. */
export function isOutage(server: BullServer, error: unknown): boolean {
  return error instanceof SilenceError || server.isOutage(error);
}

/** What ioredis says where it has no connection. Its advice is of an option that is ours to set. */
const NO_CONNECTION = "Stream isn't writeable and enableOfflineQueue options is false";
/** The replies of a Redis Cluster to a client for a single server. */
const OF_CLUSTER = /^(MOVED|ASK|CROSSSLOT) /;

/** Without a full stop. Some errors of connections have no message of their own: an AggregateError has those of its parts. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  if (message === NO_CONNECTION) return 'Redis is not connected';
  const words = shownText(message).replace(/\.$/, '');
  return OF_CLUSTER.test(words) ? `${words}. Redis Cluster is not supported` : words;
}

/** As a cause: ioredis attaches the command to an error, with every argument, such as a password. */
export function discreet(error: unknown): unknown {
  if (error instanceof Error) delete (error as { command?: unknown }).command;
  return error;
}
