import { Logger } from '@nestjs/common';
import { CHANGED, type StoreConfig } from '../../embedded/job-store.js';
import type { Attempt } from '../../../job/job.js';
import type { MaybePromise } from '../../../job/async.js';
import { ClaimAhead } from './prefetch.js';
import { steadyTime } from '../file/clock-guard.js';
import type { ResultRow } from '../sql/job-row.js';
import type { JobsFile } from '../file/jobs-file.js';
import { type ClaimedRow, SqliteAttempt } from '../sql/sqlite-attempt.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';
import { printed } from '../../../job/printed.js';

/** How long to wait before what could not be put back is tried again. */
const PUT_BACK_RETRY_MS = 1_000;

/**
 * How old the last look at other processes' cancellations may be when an attempt begins, in real
 * milliseconds: short attempts share one look.
 */
export const LOOKED_MS = 1;

export interface TakenParts {
  readonly file: JobsFile;
  readonly config: StoreConfig;
  readonly options: Pick<ResolvedSqliteOptions, 'lease' | 'maxRescues'>;
  /** The job of that row has been cancelled, and is over without having been started. */
  ended(id: number): void;
}

/** What this process has taken and not settled: what runs, and what was taken ahead. */
export class TakenJobs {
  private readonly logger = new Logger('Flowrra');
  /** By row. */
  private readonly taken = new Map<number, SqliteAttempt>();
  private readonly ahead: ClaimAhead;
  private closed = false;
  /** When cancellations were last looked at, and which writes of other processes were seen. */
  private lookedAt = -Infinity;
  private version = 0;
  /** Of those cancellations, the ones whose jobs were not known to be taken here: rows and claims. */
  private unheard: ReadonlyMap<number, number> = new Map();

  constructor(private readonly parts: TakenParts) {
    this.ahead = new ClaimAhead(parts.config.clock, (attempts) => void this.putBack(attempts));
  }

  /** Their leases are to be renewed. */
  get all(): ReadonlyMap<number, SqliteAttempt> {
    return this.taken;
  }

  /** How many of them have not been started. */
  get waiting(): number {
    return this.ahead.size;
  }

  allWaiting(): SqliteAttempt[] {
    return this.ahead.all();
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    // All of it is used up before more is taken: what a standstill has made stale is passed over.
    while (this.ahead.holds(queue)) {
      const ready = this.ahead.take(queue, limit).filter((attempt) => this.isOurs(attempt));
      if (ready.length > 0) return started(ready, now);
    }
    this.ahead.usedUp(queue);
    const due = this.nextDue(queue);
    if (due === null || due > now) return [];
    return this.claimFromFile(queue, limit, now);
  }

  nextDue(queue: string): number | null {
    if (this.ahead.holds(queue)) return 0;
    const { reads, queues } = this.parts.file;
    const opens = queues.opensAt(queue, this.parts.config.clock.now());
    const due = opens === null ? null : reads.nextDue(queue);
    return due === null ? null : Math.max(due, opens ?? 0);
  }

  /** A new job goes before what was taken ahead, if that is less urgent. */
  yieldTo(queue: string, priority: number): void {
    this.ahead.yieldTo(queue, priority);
  }

  /** It is settled, or somebody else's. */
  release(attempt: SqliteAttempt): void {
    if (this.taken.get(attempt.row.id) === attempt) this.taken.delete(attempt.row.id);
  }

  /** The row as this process knows it: what has not been started still waits. */
  asSeen<R extends ResultRow>(row: R): R {
    if (!this.ahead.has(row.id)) return row;
    const before = this.taken.get(row.id)?.row;
    return before === undefined ? row : { ...row, status: before.status, started_at: before.started_at };
  }

  /** Takes a job out of what waits here. Whoever does so ends it or gives it back. */
  withdraw(id: number): SqliteAttempt | null {
    const attempt = this.taken.get(id);
    return attempt !== undefined && this.ahead.withdraw(attempt) ? attempt : null;
  }

  /**
   * A job has been cancelled: if it is one of this process's, that goes no further than it has. Says
   * `false` if it is not.
   */
  cancel(id: number, reason: string): boolean {
    const attempt = this.taken.get(id);
    if (attempt === undefined) return false;
    if (attempt.told) return true;
    attempt.told = true;
    if (this.ahead.withdraw(attempt)) void this.putBack([attempt]);
    else this.parts.config.notify({ type: 'cancelled', attempt, reason });
    return true;
  }

  /**
   * Whether an attempt may begin: its job may have been cancelled since it was claimed. If so, it ends
   * without having begun.
   */
  begins(attempt: SqliteAttempt): boolean {
    if (performance.now() - this.lookedAt >= LOOKED_MS) this.lookAtCancellations();
    if (!attempt.told) return true;
    void this.putBack([attempt]);
    return false;
  }

  /** Another process may have cancelled jobs that were taken here, or paused queues. */
  look(): void {
    const { queues } = this.parts.file;
    queues.refresh();
    if (this.taken.size > 0) this.hearCancellations();
    if (this.ahead.size === 0) return;
    for (const queue of this.ahead.queues) if (queues.isPaused(queue)) void this.giveBack(queue);
  }

  /** Puts what was taken ahead back into the file, and resolves when it lies there. */
  async putBack(attempts: readonly SqliteAttempt[]): Promise<void> {
    const { file, config, ended } = this.parts;
    const rows = attempts.map(({ row }) => row);
    try {
      const over = await file.commit.write(() => file.claims.putBack(rows, config.clock.now()), rows.length);
      for (const attempt of attempts) this.release(attempt);
      for (const id of over) ended(id);
      // Whoever has asked meanwhile has found neither these jobs nor the room that they leave, and may be asleep.
      config.notify(CHANGED);
    } catch (error) {
      if (this.closed) return;
      this.logger.warn(`Jobs that were not started could not be put back yet: ${printed(error)}`);
      config.clock.after(PUT_BACK_RETRY_MS, () => void this.putBack(attempts));
    }
  }

  /** Starts no more of what was taken ahead of a queue; resolves when it lies in the file again. */
  async giveBack(queue: string): Promise<void> {
    const attempts = this.ahead.empty(queue);
    if (attempts.length > 0) await this.putBack(attempts);
  }

  giveAllBack(): void {
    this.ahead.clearAll();
  }

  close(): void {
    this.closed = true;
    this.ahead.clearAll();
  }

  /** While no other process has written to the file, there is nothing new. */
  private lookAtCancellations(): void {
    this.lookedAt = performance.now();
    try {
      const version = this.parts.file.reads.dataVersion();
      if (version === this.version) return;
      this.version = version;
      this.hearCancellations();
    } catch {
      // A file that cannot be read is reported where its content is needed.
    }
  }

  private hearCancellations(): void {
    const unheard = new Map<number, number>();
    for (const { id, claims, cancelling } of this.parts.file.reads.cancellations())
      if (!this.cancel(id, cancelling)) unheard.set(id, claims);
    this.unheard = unheard;
  }

  private async claimFromFile(queue: string, limit: number, now: number): Promise<readonly Attempt[]> {
    const { file, config, options } = this.parts;
    const { commit, claims, reads, queues } = file;
    const { clock } = config;
    const extent = this.takesAhead(queue) ? this.ahead.extent(queue, limit) : 0;
    let claimedAt = 0;
    const claim = (): ClaimedRow[] => {
      // At the end of a stop there is nobody left to run them.
      if (this.closed) return [];
      claimedAt = steadyTime(clock);
      this.renewOverdue(claimedAt);
      // The file may have been locked for a while: a lease begins when it is given.
      const given = clock.now();
      const room = queues.room(queue, given);
      if (room === 0) return [];
      const rows = claims.claim(queue, Math.min(limit, room), extent, now, given + options.lease);
      queues.started(queue, rows.length, given);
      return rows;
    };
    const rows = await commit.write(claim, limit + extent);
    const attempts = rows.map((row) => this.attempt(row, claimedAt, (id) => reads.argsOf(id)));
    this.ahead.fill(queue, attempts.splice(limit));
    return started(attempts, clock.now());
  }

  /** With 0 for `maxRescues`, what was taken counts as started: so nothing is taken before it can start. */
  private takesAhead(queue: string): boolean {
    return this.parts.options.maxRescues > 0 && !this.parts.file.queues.isLimited(queue);
  }

  private attempt(row: ClaimedRow, claimedAt: number, args: (id: number) => string): SqliteAttempt {
    const { maxRescues } = this.parts.options;
    // With 0, a job that may have been started is not started again.
    const lost = maxRescues === 0 ? row.rescues !== 0 : row.rescues > maxRescues;
    const attempt = new SqliteAttempt(row, args, lost);
    attempt.renewedAt = claimedAt;
    // Cancelled by another process after it had been claimed, and looked at before it was known to be.
    attempt.told = this.unheard.get(row.id) === row.claims;
    this.taken.set(row.id, attempt);
    return attempt;
  }

  /** After a standstill this process must not take over from itself. */
  private renewOverdue(steady: number): void {
    const { file, config, options } = this.parts;
    for (const attempt of this.taken.values()) {
      if (steady - attempt.renewedAt < options.lease) continue;
      if (file.leases.renew(attempt, config.clock.now() + options.lease)) attempt.renewedAt = steady;
    }
  }

  /** Whether it is still this process's to start. After a standstill it may be somebody else's by now. */
  private isOurs(attempt: SqliteAttempt): boolean {
    const ours = this.taken.get(attempt.row.id) === attempt;
    if (ours && steadyTime(this.parts.config.clock) - attempt.renewedAt < this.parts.options.lease)
      return true;
    this.release(attempt);
    return false;
  }
}

function started(attempts: SqliteAttempt[], now: number): SqliteAttempt[] {
  for (const attempt of attempts) attempt.startedAt = now;
  return attempts;
}
