import { Logger } from '@nestjs/common';
import { detached } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import { printed } from '../job/show-value.js';
import type { KnownConnection } from './connection/sql-connection.js';

const RETRY_MS = 5_000;

/** Listens for the commits of which PostgreSQL tells, again after each loss of the connection. */
export class CommitNotices {
  private readonly logger = new Logger('Flowrra');
  private end: (() => Promise<void>) | null = null;
  private cancelTimer: (() => void) | null = null;
  private listening: Promise<void> = Promise.resolve();
  private isStopped = false;

  /** @param heard Called for each commit, and after each time in which commits may have been missed. */
  constructor(
    private readonly database: KnownConnection,
    private readonly channel: string,
    private readonly clock: Clock,
    private readonly heard: () => void,
  ) {}

  start(): void {
    if (this.database.listen !== undefined) this.listening = detached(() => this.listen());
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancelTimer?.();
    await this.listening;
    await this.end?.().catch(() => undefined);
    this.end = null;
  }

  private async listen(): Promise<void> {
    try {
      const end = await this.database.listen?.(this.channel, this.heard, () => this.again());
      this.end = end ?? null;
      this.heard();
    } catch (error) {
      this.logger.debug(`The outbox is not told of commits, and looks once a second: ${printed(error)}`);
      this.again();
    }
  }

  private again(): void {
    this.end = null;
    if (this.isStopped) return;
    this.cancelTimer = this.clock.after(RETRY_MS, () => this.start(), { background: true });
  }
}
