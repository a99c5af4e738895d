import { Logger } from '@nestjs/common';
import { EngineError } from '../../core/errors.js';
import type { BullServer } from './bull-server.interface.js';
import { SilenceError } from './io-time.js';

/** Of errors that are no outage, so many are logged in a second. */
const MOST_PER_SECOND = 5;

/** Tells of a server's trouble, and of its end, once: while it lasts, every call of every worker fails. */
export class Trouble {
  private readonly logger = new Logger('Flowrra');
  /** Before that, whoever starts is told by a rejection. */
  private started = false;
  private away = false;
  private second = 0;
  private logged = 0;

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
    const second = Math.trunc(performance.now() / 1_000);
    if (second !== this.second) this.logged = 0;
    this.second = second;
    if (this.logged++ < MOST_PER_SECOND) this.logger.error(`${this.server().name}: ${messageOf(error)}`);
  }
}

/** Whether the server cannot be reached, or says nothing, which passes. */
export function isOutage(server: BullServer, error: unknown): boolean {
  return error instanceof SilenceError || server.isOutage(error);
}

/** Without a full stop. Some errors of connections have no message of their own: an AggregateError has those of its parts. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  return message.replace(/\.$/, '');
}

/** As a cause: ioredis attaches the command to an error, with every argument, such as a password. */
export function discreet(error: unknown): unknown {
  if (error instanceof Error) delete (error as { command?: unknown }).command;
  return error;
}
