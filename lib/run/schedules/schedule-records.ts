import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../engine/schedule-store.js';
import type { Clock } from '../../job/clock.js';
import { EngineError } from '../../job/errors.js';
import { dueOf, type Schedule } from '../../job/schedule/schedule.js';

/** A schedule, and the version under which it was read. */
export interface ScheduleRecord {
  readonly version: number;
  readonly schedule: Schedule;
}

/** The most schedules that a store reads or writes in one operation. */
const PAGE = 500;
/** Each attempt fails only if another process has changed the schedule meanwhile. */
const MAX_ATTEMPTS = 20;

/** Reads and writes schedules in the engine's store. Every write expects the version that was read. */
export class ScheduleRecords {
  constructor(
    private readonly store: ScheduleStore,
    private readonly clock: Clock,
  ) {}

  /** The schedules that are due next, earliest first. */
  async earliest(limit: number): Promise<readonly (ScheduleRecord & { readonly due: number })[]> {
    const stored = await this.store.earliest(limit);
    return stored.map((each) => ({ ...recordOf(each), due: each.due as number }));
  }

  async get(name: string): Promise<ScheduleRecord | null> {
    const [stored] = await this.store.get([name]);
    return stored === undefined ? null : recordOf(stored);
  }

  /** Those of the names that are stored. */
  async named(names: readonly string[]): Promise<ReadonlyMap<string, ScheduleRecord>> {
    const found = new Map<string, ScheduleRecord>();
    for (let start = 0; start < names.length; start += PAGE)
      for (const stored of await this.store.get(names.slice(start, start + PAGE)))
        found.set(stored.name, recordOf(stored));
    return found;
  }

  /** All schedules, by name. */
  async *all(): AsyncIterable<ScheduleRecord> {
    for (let after = ''; ;) {
      const page = await this.store.page(after, PAGE);
      for (const stored of page) yield recordOf(stored);
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
      const found = await this.get(name);
      const schedule = change(found?.schedule ?? null);
      if (schedule === null) return null;
      if (await this.write(found?.version ?? 0, schedule)) return schedule;
    }
    throw new EngineError(
      `The schedule '${name}' was changed by other processes ${MAX_ATTEMPTS} times while it was to be written. Try again.`,
    );
  }

  async remove(name: string): Promise<boolean> {
    return this.store.remove(name);
  }

  private writeOf(expected: number, schedule: Schedule): ScheduleWrite {
    const due = dueOf(schedule, this.clock.now());
    return { name: schedule.name, expected, due, body: JSON.stringify(schedule) };
  }
}

function recordOf({ version, body }: StoredSchedule): ScheduleRecord {
  return { version, schedule: JSON.parse(body) as Schedule };
}
