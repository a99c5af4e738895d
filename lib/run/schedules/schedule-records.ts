import { Logger } from '@nestjs/common';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../engine/schedule-store.js';
import type { Clock } from '../../job/clock.js';
import { EngineError } from '../../job/errors.js';
import { dueOf, type Schedule } from '../../job/schedule/schedule.js';
import { scheduleFromText } from '../../job/schedule/schedule-text.js';
import { showValue } from '../../job/show-value.js';

/** A schedule, and the version under which it was read. */
export interface ScheduleRecord {
  readonly version: number;
  readonly schedule: Schedule;
}

/** `schedule` is `null` if its text is not one that this version of Flowrra can read. A write replaces it. */
interface FoundRecord {
  readonly version: number;
  readonly schedule: Schedule | null;
}

/** The most schedules that a store reads or writes in one operation. */
const PAGE = 500;
/** The most schedules that are read beyond those that were asked for, to get past those that cannot be handled. */
const MAX_PASSED = 2_000;
/** Each attempt fails only if another process has changed the schedule meanwhile. */
const MAX_ATTEMPTS = 20;

/** Reads and writes schedules in the engine's store. Every write expects the version that was read. */
export class ScheduleRecords {
  private readonly logger = new Logger('Flowrra');
  /** Names of schedules whose text could not be read, which is logged once. */
  private readonly unreadable = new Set<string>();

  constructor(
    private readonly store: ScheduleStore,
    private readonly clock: Clock,
  ) {}

  /**
   * The schedules that are due next, earliest first.
   *
   * @param passed The number of schedules that the caller will pass over: that many more are read.
   */
  async earliest(limit: number, passed = 0): Promise<readonly (ScheduleRecord & { readonly due: number })[]> {
    const most = limit + Math.min(passed + this.unreadable.size, MAX_PASSED);
    const stored = await this.store.earliest(most);
    return stored.flatMap((each) => {
      const { version, schedule } = this.read(each);
      return schedule === null ? [] : [{ version, schedule, due: each.due as number }];
    });
  }

  /** `null` also for a schedule whose text cannot be read. */
  async get(name: string): Promise<ScheduleRecord | null> {
    const { version, schedule } = await this.find(name);
    return schedule && { version, schedule };
  }

  /** Those of the names that are stored. */
  async named(names: readonly string[]): Promise<ReadonlyMap<string, FoundRecord>> {
    const found = new Map<string, FoundRecord>();
    for (let start = 0; start < names.length; start += PAGE)
      for (const stored of await this.store.get(names.slice(start, start + PAGE)))
        found.set(stored.name, this.read(stored));
    return found;
  }

  /** All schedules, by name. */
  async *all(): AsyncIterable<ScheduleRecord> {
    for (let after = ''; ;) {
      const page = await this.store.page(after, PAGE);
      for (const stored of page) {
        const { version, schedule } = this.read(stored);
        if (schedule !== null) yield { version, schedule };
      }
      if (page.length < PAGE) return;
      after = (page.at(-1) as StoredSchedule).name;
    }
  }

  /** Whether the schedule had the version still, and has been written. */
  async write(version: number, schedule: Schedule): Promise<boolean> {
    const [written] = await this.store.put([this.writeOf(version, schedule)]);
    return written === true;
  }

  /** Writes many; those that another process has changed meanwhile are left as they are. Returns their names. */
  async writeAll(records: readonly ScheduleRecord[]): Promise<string[]> {
    const conflicts: string[] = [];
    for (let start = 0; start < records.length; start += PAGE) {
      const page = records.slice(start, start + PAGE);
      const written = await this.store.put(page.map((each) => this.writeOf(each.version, each.schedule)));
      page.forEach(({ schedule }, n) => written[n] || conflicts.push(schedule.name));
    }
    return conflicts;
  }

  /**
   * Changes a schedule, whatever other processes change at the same time.
   *
   * @param change Returns the new schedule, or `null` to leave it as it is. It may be called several times.
   * @throws {EngineError} if other processes go on changing it.
   */
  async change(name: string, change: (found: Schedule | null) => Schedule | null): Promise<Schedule | null> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const found = await this.find(name);
      const schedule = change(found.schedule);
      if (schedule === null) return null;
      if (await this.write(found.version, schedule)) return schedule;
    }
    throw new EngineError(
      `The schedule '${name}' was changed by other processes ${MAX_ATTEMPTS} times while it was to be written. Try again.`,
    );
  }

  async remove(name: string): Promise<boolean> {
    return this.store.remove(name);
  }

  private async find(name: string): Promise<FoundRecord> {
    const [stored] = await this.store.get([name]);
    return stored === undefined ? { version: 0, schedule: null } : this.read(stored);
  }

  private read({ name, version, body }: StoredSchedule): FoundRecord {
    const schedule = scheduleFromText(name, body);
    if (schedule !== null) this.unreadable.delete(name);
    else if (!this.unreadable.has(name)) {
      this.unreadable.add(name);
      this.logger.error(
        `The stored schedule ${showValue(name)} has no occurrences here: its text is not one that this version of Flowrra can read. Set it again, or remove it by schedules.remove().`,
      );
    }
    return { version, schedule };
  }

  private writeOf(expected: number, schedule: Schedule): ScheduleWrite {
    const due = dueOf(schedule, this.clock.now());
    return { name: schedule.name, expected, due, body: JSON.stringify(schedule) };
  }
}
