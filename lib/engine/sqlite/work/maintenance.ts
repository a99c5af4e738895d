import { Logger } from '@nestjs/common';
import { detached } from '../../../job/async.js';
import { steadyTime } from '../../../job/clock.js';
import { printed } from '../../../job/show-value.js';
import { CHANGED, type StoreConfig } from '../../embedded/job-store.js';
import type { JobsFile } from '../file/jobs-file.js';
import type { Rescue } from '../sql/lease-writes.js';
import type { SqliteAttempt } from '../sql/sqlite-attempt.js';
import type { SqliteResults } from '../sqlite-results.js';
import type { ClaimedJobs } from './claimed-jobs.js';
import { ClockGuard } from './clock-guard.js';

/** A living worker renews its leases well before they end. */
const ROUNDS_PER_LEASE = 5;
/** How often old results and keys are dropped, by one process for all. */
const PRUNE_MS = 30_000;
/** Leases are renewed in transactions of this many. */
const MAX_RENEWED = 250;

const NONE: Rescue = { waiting: 0, cancelled: [] };

export interface MaintenanceParts {
  readonly file: JobsFile;
  readonly config: StoreConfig;
  /** Milliseconds. */
  readonly lease: number;
  readonly claimed: ClaimedJobs;
  readonly results: SqliteResults;
  /** The job in this row had been cancelled, and has ended since its worker died. */
  ended(id: number): void;
}

/** Periodic work: renews leases, rescues jobs of dead workers, drops old results and keys. */
export class Maintenance {
  private readonly logger = new Logger('Flowrra');
  private readonly interval: number;
  private readonly guard: ClockGuard;
  private cancelTimer: (() => void) | null = null;
  private failing = false;

  constructor(private readonly parts: MaintenanceParts) {
    const { config, lease } = parts;
    this.interval = Math.floor(lease / ROUNDS_PER_LEASE);
    this.guard = new ClockGuard(config.clock, lease, this.interval, () => config.notify(CHANGED));
  }

  start(): void {
    this.schedule();
    this.round();
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private schedule(): void {
    this.cancelTimer = detached(() =>
      this.parts.config.clock.after(this.interval, () => this.start(), { background: true }),
    );
  }

  private round(): void {
    void this.work().then(
      () => this.reportSuccess(),
      (error: unknown) => this.reportFailure(error),
    );
  }

  private async work(): Promise<void> {
    this.parts.results.checkDropped();
    await Promise.all([this.renew(), this.rescue(), this.prune()]);
  }

  /** Leases that were given or renewed within the last half of a round are left to the next round. */
  private async renew(): Promise<void> {
    const { file, config, claimed, lease } = this.parts;
    const held = (attempt: SqliteAttempt): boolean => claimed.all.get(attempt.row.id) === attempt;
    const renew = (attempt: SqliteAttempt): boolean => {
      attempt.renewedAt = steadyTime(config.clock);
      return file.leases.renew(attempt, config.clock.now() + lease);
    };
    const latest = steadyTime(config.clock) - this.interval / 2;
    const due = [...claimed.all.values()].filter(({ renewedAt }) => renewedAt <= latest);
    for (let from = 0; from < due.length; from += MAX_RENEWED) {
      const some = due.slice(from, from + MAX_RENEWED);
      const lost = await file.commit.write(
        () => some.filter((attempt) => held(attempt) && !renew(attempt)),
        some.length,
      );
      // An attempt that was settled in the same transaction is no longer held.
      for (const attempt of lost) if (held(attempt)) claimed.lose(attempt);
    }
  }

  private async rescue(): Promise<void> {
    const { config, ended } = this.parts;
    let [waiting, cancelled] = [0, 0];
    for (let some = await this.rescueSome(); !isEmpty(some); some = await this.rescueSome()) {
      waiting += some.waiting;
      cancelled += some.cancelled.length;
      for (const id of some.cancelled) ended(id);
    }
    if (waiting + cancelled > 0) config.notify(CHANGED);
    if (waiting === 0) return;
    this.logger.warn(
      `${waiting === 1 ? '1 job is' : `${waiting} jobs are`} waiting again: a worker did not renew its lease in time.`,
    );
  }

  /**
   * Makes a transaction in every round, even if no lease has ended: a lock that delays or rejects it also keeps
   * owners from renewing.
   */
  private async rescueSome(): Promise<Rescue> {
    const { file, config, claimed } = this.parts;
    const { clock } = config;
    const asked = steadyTime(clock);
    const rescue = (): Rescue => {
      const now = clock.now();
      file.leases.shortenInvalid(now);
      if (steadyTime(clock) - asked > this.interval) this.guard.fileWasLocked();
      if (!this.guard.canTrustLeases()) return NONE;
      return file.leases.rescue(now, (id) => claimed.all.has(id));
    };
    try {
      return await file.commit.write(rescue);
    } catch (error) {
      this.guard.fileWasLocked();
      throw error;
    }
  }

  private async prune(): Promise<void> {
    const { file, config } = this.parts;
    const { commit, retention, journals } = file;
    const now = config.clock.now();
    if (!retention.isDue(now) && !journals.hasDropped) return;
    if (!(await commit.write(() => retention.takeTurn(now, PRUNE_MS)))) return;
    while (await commit.write(() => retention.dropExpired(now)));
    while (await commit.write(() => retention.dropKeys(now)));
    while (await commit.write(() => journals.deleteDropped()));
  }

  /** Only the first failure is logged, and later the recovery. */
  private reportFailure(error: unknown): void {
    if (!this.failing)
      this.logger.warn(`Maintenance of the database file failed; it is tried again: ${printed(error)}`);
    this.failing = true;
  }

  private reportSuccess(): void {
    if (this.failing) this.logger.log('Maintenance of the database file works again.');
    this.failing = false;
  }
}

function isEmpty({ waiting, cancelled }: Rescue): boolean {
  return waiting + cancelled.length === 0;
}
