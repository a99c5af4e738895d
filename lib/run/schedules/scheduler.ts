import { setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { detached } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import {
  confirmed,
  MISSED_AFTER_MS,
  type PastOccurrence,
  recorded,
  type Schedule,
} from '../../job/schedule/schedule.js';
import { printed } from '../../job/show-value.js';
import type { Declarations } from './declarations.js';
import type { Occurrences } from './occurrences.js';
import type { ScheduleRecord, ScheduleRecords } from './schedule-records.js';

export interface SchedulerParts {
  readonly records: ScheduleRecords;
  readonly occurrences: Occurrences;
  readonly declarations: Declarations;
  readonly clock: Clock;
  /** Whether other processes can change schedules. */
  readonly isShared: boolean;
  /** The name of this worker. */
  readonly worker: string;
  /** Called with each occurrence that this worker has handled, once that is stored. */
  handled(schedule: Schedule, past: PastOccurrence): void;
}

/** A decision about a schedule, to be written under the version that was read. */
interface Decided extends ScheduleRecord {
  /** The occurrences that it skips; `null` for a decision that is stored already. */
  readonly skipped: readonly PastOccurrence[] | null;
}

/** How often the store is read for changes by other processes: in real time, since they happen in it. */
const POLL_MS = 1_000;
/** The longest time between two looks without a poll, if the clock may be set forward. */
const MAX_SLEEP_MS = 60_000;
/** How much later than the worker that handled the previous occurrence another one handles the next: up to twice as much. */
const TAKEOVER_MS = 50;
/** How long a schedule is left alone that could not be handled here. */
const RETRY_MS = 1_000;
/** How long a store is left alone that cannot be read and had no schedule when it was read last. */
const QUIET_MS = 10_000;
/** How many schedules are read at a time: few while none is due. */
const IDLE_READ = 20;
const BUSY_READ = 200;
/** How long the store stays unreadable before that is logged again. */
const LOG_AGAIN_MS = 30_000;

/**
 * Handles the occurrences of schedules on one worker, with one timer for the earliest one. All workers do so: the
 * version in the store decides which of them has handled an occurrence. There is no leader and no lock.
 */
export class Scheduler {
  private readonly logger = new Logger('Flowrra');
  /** Schedules that could not be handled here, and when they are tried again. */
  private readonly deferred = new Map<string, number>();
  private readonly takeover = Math.round(TAKEOVER_MS * (1 + Math.random()));
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private cancelTimer: (() => void) | null = null;
  private pollTimer: NodeJS.Timeout | null = null;
  /** Whether the last read found a schedule: without one, a store that cannot be read is not worth a log line. */
  private hasSchedules = false;
  private quietUntil = -Infinity;
  private loggedAt = -Infinity;

  constructor(private readonly parts: SchedulerParts) {}

  /** Stores the declared schedules, and begins. */
  async start(): Promise<void> {
    await this.parts.declarations.declare();
    if (this.parts.isShared) this.pollTimer = setInterval(() => this.poll(), POLL_MS).unref();
    this.wake();
  }

  /** Starts no more occurrences, and waits for those that are being handled. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    if (this.pollTimer !== null) clearInterval(this.pollTimer);
    await this.idle();
  }

  /** Resolves when no occurrence is being handled. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  /** Schedules have changed in this process. */
  wake(): void {
    if (this.stopped) return;
    this.again = true;
    this.running ??= detached(() => this.run()).finally(() => {
      this.running = null;
      if (this.again) this.wake();
    });
  }

  private poll(): void {
    if (this.parts.clock.now() >= this.quietUntil) this.wake();
  }

  private async run(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = null;
    let next: number | null = null;
    // Work that was left over, or a change meanwhile, is looked at once more.
    while (this.again && !this.stopped) {
      this.again = false;
      try {
        next = await this.round();
        this.quietUntil = -Infinity;
        if (this.deferred.size === 0) this.loggedAt = -Infinity;
      } catch (error) {
        if (this.hasSchedules) this.failed(error);
        else this.quietUntil = this.parts.clock.now() + QUIET_MS;
        next = this.hasSchedules ? RETRY_MS : QUIET_MS;
      }
    }
    if (next !== null && !this.stopped)
      this.cancelTimer = detached(() => this.parts.clock.after(next, () => this.wake()));
  }

  /** Handles the schedules that are due. Returns the milliseconds until the next look; `null` if there is no schedule. */
  private async round(): Promise<number | null> {
    const { records, clock, declarations, isShared } = this.parts;
    const canBeSet = clock.steady !== undefined;
    await declarations.keepUp();
    this.forgetDeferred(clock.now());
    const passed = this.deferred.size;
    let found = await records.earliest(IDLE_READ, passed);
    if (found.length >= IDLE_READ && this.due(found).length > 0)
      found = await records.earliest(BUSY_READ, passed);
    this.hasSchedules = found.length > 0;
    if (!this.hasSchedules) return null;
    const due = this.due(found);
    if (due.length > 0) {
      await this.handleAll(due);
      this.again = true;
      return 0;
    }
    const earliest = Math.min(...found.map((record) => this.dueHere(record)));
    return Math.min(Math.max(0, earliest - clock.now()), isShared || !canBeSet ? Infinity : MAX_SLEEP_MS);
  }

  /** A deferred schedule is tried again when its time has come. */
  private forgetDeferred(now: number): void {
    for (const [name, until] of this.deferred) if (until <= now) this.deferred.delete(name);
  }

  private due<R extends ScheduleRecord & { readonly due: number }>(records: readonly R[]): readonly R[] {
    const now = this.parts.clock.now();
    return records.filter((record) => this.dueHere(record) <= now);
  }

  private dueHere({ schedule, due }: ScheduleRecord & { readonly due: number }): number {
    const deferred = this.deferred.get(schedule.name) ?? -Infinity;
    const own = schedule.lastWorker === null || schedule.lastWorker === this.parts.worker;
    return Math.max(own || !this.parts.isShared ? due : due + this.takeover, deferred);
  }

  /** Decides about all, submits, and records: with one write for all decisions, and one for all records. */
  private async handleAll(due: readonly ScheduleRecord[]): Promise<void> {
    const { records, handled } = this.parts;
    const decided = await this.decideAll(due);
    const fresh = decided.filter(({ skipped }) => skipped !== null);
    const lost = new Set(await records.writeAll(fresh));
    const open: ScheduleRecord[] = [];
    for (const { version, schedule, skipped } of decided) {
      if (lost.has(schedule.name)) continue;
      for (const each of skipped ?? []) handled(schedule, each);
      if (schedule.submitting.length > 0)
        open.push({ version: skipped === null ? version : version + 1, schedule });
    }
    await this.submitAll(open);
  }

  private async decideAll(due: readonly ScheduleRecord[]): Promise<Decided[]> {
    const limit = this.parts.clock.now() - MISSED_AFTER_MS;
    const isLate = ({ schedule: { nextRun, submitting } }: ScheduleRecord): boolean =>
      submitting.length === 0 && nextRun !== null && nextRun < limit;
    const decide = (record: ScheduleRecord): Promise<Decided | null> => this.decide(record);
    const decided = await this.each(
      due.filter((record) => !isLate(record)),
      decide,
    );
    // To count 1,000 occurrences of a cron expression takes up to 0.3 s, so other work has its turn in between.
    for (const record of due.filter(isLate)) {
      decided.push(...(await this.each([record], decide)));
      await turn();
    }
    return decided;
  }

  /** `null` for a schedule that this worker does not handle. `skipped` is `null` for a decision that is stored. */
  private async decide({ version, schedule }: ScheduleRecord): Promise<Decided | null> {
    const { occurrences, declarations, clock } = this.parts;
    if (!declarations.mayHandle(schedule)) {
      if (!(await declarations.orphan(version, schedule)))
        this.deferred.set(schedule.name, clock.now() + RETRY_MS);
      return null;
    }
    if (schedule.submitting.length > 0) return { version, schedule, skipped: null };
    return { version, ...(await occurrences.decide(schedule)) };
  }

  /** Submits the jobs of decisions, and records them whatever has happened to the schedules meanwhile. */
  private async submitAll(open: readonly ScheduleRecord[]): Promise<void> {
    const { records, occurrences, handled } = this.parts;
    const submitted = await this.each(open, async ({ version, schedule }) => {
      const past = await occurrences.submit(schedule);
      return { version, schedule: past.reduce(recorded, schedule), past };
    });
    const lost = new Set(await records.writeAll(submitted));
    await this.each(submitted, async ({ schedule, past }) => {
      const stored = lost.has(schedule.name)
        ? await records.change(schedule.name, (found) => found && confirmed(found, past))
        : schedule;
      if (stored !== null) for (const each of past) handled(stored, each);
      return null;
    });
  }

  /** Calls `fn` for each, at the same time. Those for which it fails are tried again later. */
  private async each<R extends ScheduleRecord, T>(
    all: readonly R[],
    fn: (one: R) => Promise<T | null>,
  ): Promise<T[]> {
    const results = await Promise.all(
      all.map(async (one) => {
        try {
          return await fn(one);
        } catch (error) {
          this.deferred.set(one.schedule.name, this.parts.clock.now() + RETRY_MS);
          this.failed(error, one.schedule.name);
          return null;
        }
      }),
    );
    return results.filter((result) => result !== null);
  }

  /** One log line for all schedules, and another one if the failure lasts. */
  private failed(error: unknown, name?: string): void {
    const now = this.parts.clock.now();
    if (now - this.loggedAt < LOG_AGAIN_MS) return;
    this.loggedAt = now;
    const subject =
      name === undefined ? 'Schedules could not be read' : `The schedule '${name}' could not be handled`;
    this.logger.error(`${subject}, which is tried again every ${RETRY_MS} ms: ${printed(error)}`);
  }
}
