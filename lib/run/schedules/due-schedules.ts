import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../job/clock.js';
import {
  confirmed,
  MISSED_AFTER_MS,
  type PastOccurrence,
  recorded,
  type Schedule,
} from '../../job/schedule/schedule.js';
import type { Declarations } from './declarations.js';
import type { Occurrences } from './occurrences.js';
import type { ScheduleRecord, ScheduleRecords } from './schedule-records.js';

export interface DueSchedulesParts {
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
  /** Called for a schedule that could not be handled. It is tried again after {@link RETRY_MS}. */
  failed(error: unknown, name: string): void;
  /** Whether the worker stops, so that nothing more is decided. */
  isStopped(): boolean;
}

/** A decision about a schedule, to be written under the version that was read. */
interface Decided extends ScheduleRecord {
  /** The occurrences that it skips; `null` for a decision that is stored already. */
  readonly skipped: readonly PastOccurrence[] | null;
}

/** How much later than the worker that handled the previous occurrence another one handles the next: up to twice as much. */
const TAKEOVER_MS = 50;
/** How long a schedule is left alone that could not be handled here. */
export const RETRY_MS = 1_000;
/** How many schedules are read at a time: few while none is due. */
const IDLE_READ = 20;
const BUSY_READ = 200;

/**
 * Handles the occurrences that are due, on one worker. All workers do so: the version in the store decides which of
 * them has handled an occurrence. There is no leader and no lock.
 */
export class DueSchedules {
  /** Schedules that could not be handled here, and when they are tried again. */
  private readonly deferred = new Map<string, number>();
  private readonly takeover = Math.round(TAKEOVER_MS * (1 + Math.random()));

  constructor(private readonly parts: DueSchedulesParts) {}

  /** Whether a schedule could not be handled and has not been tried again yet. */
  get hasDeferred(): boolean {
    return this.deferred.size > 0;
  }

  /**
   * Handles some of the schedules that are due.
   *
   * @returns the time of the next look, in milliseconds since the epoch: `-Infinity` for at once, `null` if there is
   * no schedule.
   */
  async handle(): Promise<number | null> {
    const { records, clock } = this.parts;
    this.forgetDeferred(clock.now());
    const passed = this.deferred.size;
    let found = await records.earliest(IDLE_READ, passed);
    if (found.length >= IDLE_READ && this.due(found).length > 0)
      found = await records.earliest(BUSY_READ, passed);
    if (found.length === 0) return null;
    const due = this.due(found);
    if (due.length === 0) return Math.min(...found.map((record) => this.dueHere(record)));
    await this.handleAll(due);
    return -Infinity;
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
      if (this.parts.isStopped()) break;
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
          this.parts.failed(error, one.schedule.name);
          return null;
        }
      }),
    );
    return results.filter((result) => result !== null);
  }
}
