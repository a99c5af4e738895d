import { Logger } from '@nestjs/common';
import { detached } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import { printed } from '../job/show-value.js';
import type { OutboxDatabase } from './outbox-database.js';
import type { OutboxTable } from './outbox-table.js';
import type { Statements } from './sql/statements.js';

export interface HousekeepingParts {
  readonly database: OutboxDatabase;
  readonly table: OutboxTable;
  readonly statements: Statements;
  readonly clock: Clock;
  /** How long jobs are kept after their end, in milliseconds. */
  readonly keepMs: number;
  /** Whether the engine of every process knows the same jobs. */
  readonly isShared: boolean;
  isKnown(taskId: string): Promise<boolean>;
}

const EVERY_MS = 60_000;
/** The number of jobs that are looked at in one step. */
const JOBS = 100;
/** Another process may know the job of a row that this one does not know, if they share no engine. */
const KEPT_UNSHARED_MS = 86_400_000;

/** Deletes rows of jobs that are no longer known, once a minute, in bounded steps. */
export class Housekeeping {
  private readonly logger = new Logger('Flowrra');
  private cancelTimer: (() => void) | null = null;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(private readonly parts: HousekeepingParts) {}

  start(): void {
    this.isStopped = false;
    this.later();
  }

  async stop(): Promise<void> {
    this.cancelTimer?.();
    this.isStopped = true;
    await this.running;
  }

  /** Deletes the rows that are old enough, until it is stopped. */
  async clean(): Promise<void> {
    const { table, keepMs } = this.parts;
    const isFound = (jobs: number): boolean => jobs > 0 && !this.isStopped;
    while (keepMs !== Infinity && isFound(await table.removeOldSame(keepMs, JOBS)));
    while (isFound(await this.cleanOnce()));
  }

  private later(): void {
    // Not at the same moment in processes that start together.
    const ms = EVERY_MS * (0.5 + Math.random());
    const begin = (): void => {
      this.running = detached(() => this.round());
    };
    this.cancelTimer = this.parts.clock.after(ms, begin, { background: true });
  }

  private async round(): Promise<void> {
    try {
      await this.clean();
    } catch (error) {
      this.logger.warn(`The outbox could not delete old rows, and tries again: ${printed(error)}`);
    }
    if (!this.isStopped) this.later();
  }

  /** @returns the number of jobs that it has looked at. */
  private async cleanOnce(): Promise<number> {
    const { database, statements, isKnown, keepMs } = this.parts;
    const { oldOnce, keepOnce, forgetOnce } = statements;
    const jobs = await database.run(oldOnce, [JOBS]);
    for (const { job, newest, now } of jobs) {
      if (this.isStopped) break;
      const taskId = String(job);
      const isNeeded = this.mayBeElsewhere(Number(now) - Number(newest)) || (await isKnown(taskId));
      if (isNeeded) await database.run(keepOnce, [Math.min(Math.max(keepMs, EVERY_MS), 1e16), taskId]);
      else await database.run(forgetOnce, [taskId]);
    }
    return jobs.length;
  }

  private mayBeElsewhere(age: number): boolean {
    return !this.parts.isShared && age < KEPT_UNSHARED_MS;
  }
}
