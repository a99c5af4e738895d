import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { detached } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import {
  EngineError,
  ExecutorNotRunningError,
  OutboxError,
  QueueFullError,
  ResultNotFoundError,
  SubmitUncertainError,
} from '../job/errors.js';
import { printed, shownText } from '../job/show-value.js';
import { Outage } from './outage.js';
import { type IdentifiedJob, jobFromText } from './outbox-job.js';
import type { OutboxRow, OutboxTable } from './outbox-table.js';
import { RelayBatch } from './relay-batch.js';
import type { WakeUps } from './wake-ups.js';

export interface RelayParts {
  readonly table: OutboxTable;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
  /** The largest number of jobs that the engine takes at once. */
  readonly maxBatch: number;
  /** Hands jobs to the engine. Returns the ids of the jobs that stand for them. */
  submit(jobs: readonly IdentifiedJob[]): Promise<readonly string[]>;
  /** Cancels a job in the engine. */
  cancel(taskId: string, reason: string): Promise<unknown>;
}

/** A batch has as many jobs as these characters hold, judged by the batch before. */
const BATCH_CHARACTERS = 4_000_000;
const FIRST_BATCH = 20;
const LARGEST_BATCH = 500;
/** A job of which a submission fails for a reason of its own is parked after so many tries. */
const MAX_TRIES = 5;
/** The pause after the first of them; it doubles with each. */
const RETRY_MS = 1_000;
/** How long a cancelled job is delayed, so that it does not start before it is cancelled in the engine. */
const NEVER_MS = 3_600_000;

/** Hands committed jobs of the outbox to the engine, in batches. Any number of relays share the work. */
export class Relay {
  private readonly logger = new Logger('Flowrra');
  private readonly claim = `r${randomBytes(12).toString('base64url')}`;
  private running: Promise<void> | null = null;
  private isStopped = false;
  private round: Promise<unknown> = Promise.resolve();
  /** The next batch, claimed while the engine gets the current one. */
  private ahead: Promise<RelayBatch | null> | null = null;
  /** The deletion of the rows of the batch before, while the engine gets the current one. */
  private removal: Promise<void> = Promise.resolve();
  /** How many jobs the next batch has at most. */
  private limit = FIRST_BATCH;
  private readonly outage = new Outage();

  constructor(private readonly parts: RelayParts) {}

  start(): void {
    this.isStopped = false;
    this.running ??= detached(() => this.loop());
  }

  /** Resolves when no batch is under way any more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.parts.wakeUps.now();
    await this.running;
    this.running = null;
    await this.round;
    await this.releaseAhead(0);
    await this.removed().catch(() => undefined);
  }

  /**
   * Hands on all jobs that are committed now.
   *
   * @returns their number.
   * @throws {OutboxError} if the database does not answer, and the error of the engine if it does not.
   */
  async relayAll(): Promise<number> {
    let count = 0;
    for (;;) {
      const batch = await this.next();
      if (batch === null) return count;
      count += batch.handedOn;
    }
  }

  private async loop(): Promise<void> {
    const { wakeUps } = this.parts;
    while (!this.isStopped) {
      try {
        if ((await this.next()) !== null) continue;
        await wakeUps.wait();
      } catch (error) {
        await wakeUps.wait(this.outage.failed(error, this.isStopped));
      }
    }
  }

  /** One batch at a time; `null` if no job is due. */
  private next(): Promise<RelayBatch | null> {
    const round = this.round.then(() => this.relayBatch());
    // The next round begins with no deletion under way.
    this.round = round.catch(() => this.removed()).catch(() => undefined);
    return round;
  }

  private async relayBatch(): Promise<RelayBatch | null> {
    const { outage } = this;
    const { wakeUps } = this.parts;
    const batch = (await this.takeAhead()) ?? (await this.claimBatch());
    if (batch === null) await this.removed();
    outage.databaseAnswered();
    if (batch === null) return null;
    // Only a large backlog is worth it: the next jobs of a small one are left to other relays.
    if (batch.rows.length >= this.most && !this.isStopped) {
      this.ahead = this.claimBatch();
      // The next round throws the error.
      this.ahead.catch(() => undefined);
    }
    try {
      for (const { taskId } of batch.rows) wakeUps.found(taskId);
      await this.cancelAll(batch);
      await this.submitAll(batch, await this.readable(batch));
    } catch (error) {
      const ms = outage.pause;
      await Promise.all([batch.release(ms), this.releaseAhead(ms)]);
      throw error;
    } finally {
      batch.end();
    }
    outage.over();
    return batch;
  }

  private async claimBatch(): Promise<RelayBatch | null> {
    const { table, clock } = this.parts;
    const batch = await RelayBatch.claim(table, this.claim, clock, this.most);
    if (batch === null) return null;
    const mean = batch.characters / batch.rows.length;
    this.limit = Math.min(LARGEST_BATCH, Math.max(1, Math.floor(BATCH_CHARACTERS / mean)));
    return batch;
  }

  private get most(): number {
    return Math.min(this.limit, this.parts.maxBatch);
  }

  private async removed(): Promise<void> {
    const { removal } = this;
    this.removal = Promise.resolve();
    await removal;
  }

  private takeAhead(): Promise<RelayBatch | null> | null {
    const { ahead } = this;
    this.ahead = null;
    return ahead;
  }

  private async releaseAhead(ms: number): Promise<void> {
    const batch = await this.takeAhead()?.catch(() => null);
    if (!batch) return;
    await batch.release(ms);
    batch.end();
  }

  /** The jobs of the batch that this version of Flowrra can read. */
  private async readable(batch: RelayBatch): Promise<readonly (readonly [OutboxRow, IdentifiedJob])[]> {
    const jobs: (readonly [OutboxRow, IdentifiedJob])[] = [];
    for (const row of batch.plain)
      try {
        jobs.push([row, this.jobOf(row)]);
      } catch (error) {
        await this.failed(batch, row, error);
      }
    return jobs;
  }

  private jobOf({ taskId, job, age }: OutboxRow): IdentifiedJob {
    return jobFromText(taskId, job, age, this.parts.clock.now());
  }

  /** @throws the error of the engine, if it is away. */
  private async submitAll(
    batch: RelayBatch,
    jobs: readonly (readonly [OutboxRow, IdentifiedJob])[],
  ): Promise<void> {
    if (jobs.length === 0) return;
    try {
      const ids = await this.parts.submit(jobs.map(([, job]) => job));
      const before = this.removal;
      this.removal = batch.accepted(
        jobs.map(([row]) => row),
        ids,
      );
      // The next round throws the error.
      this.removal.catch(() => undefined);
      await before;
    } catch (error) {
      const isOne = jobs.length === 1;
      if (isAway(error) && (isOne || !(error instanceof QueueFullError))) throw error;
      if (isOne) await this.failed(batch, jobs[0]![0], error);
      // One job may have made the engine reject all, and a full queue may have room for a few.
      else for (const job of jobs) await this.submitAll(batch, [job]);
    }
  }

  private async failed(batch: RelayBatch, row: OutboxRow, error: unknown): Promise<void> {
    const tries = row.tries + 1;
    if (tries < MAX_TRIES) return batch.retryLater(row, printed(error), RETRY_MS * 2 ** row.tries);
    await batch.park(row, printed(error));
    this.logger.error(
      `${shownText(row.taskId)} could not be handed from the outbox to the engine in ${tries} tries, and is not tried again: ${printed(error)} See flowrra.outbox.stuck(), retry() and remove().`,
    );
  }

  /** The engine gets a cancelled job too, so that its end is stored as that of every other one. */
  private async cancelAll(batch: RelayBatch): Promise<void> {
    const { submit, cancel } = this.parts;
    for (const row of batch.cancelled)
      try {
        await submit([{ ...this.jobOf(row), dedupe: undefined, delay: NEVER_MS, bypassMaxPending: true }]);
        await cancel(row.taskId, row.cancelReason as string).catch((error: unknown) => {
          if (!(error instanceof ResultNotFoundError)) throw error;
        });
        await batch.cancelledInEngine(row);
      } catch (error) {
        if (isAway(error)) throw error;
        await this.failed(batch, row, error);
      }
  }
}

/** Whether a later try may succeed, and no job is to blame. */
function isAway(error: unknown): boolean {
  return (
    error instanceof EngineError ||
    error instanceof OutboxError ||
    error instanceof SubmitUncertainError ||
    error instanceof QueueFullError ||
    error instanceof ExecutorNotRunningError
  );
}
