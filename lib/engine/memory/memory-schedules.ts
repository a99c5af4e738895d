import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../schedule-store.js';

/** Schedules in this process's memory. */
export class MemorySchedules implements ScheduleStore {
  private readonly byName = new Map<string, StoredSchedule>();
  /** Those with a `due`, earliest first. */
  private readonly byDue: StoredSchedule[] = [];

  earliest(limit: number): readonly StoredSchedule[] {
    return this.byDue.slice(0, limit);
  }

  get(names: readonly string[]): readonly StoredSchedule[] {
    return names.map((name) => this.byName.get(name)).filter((found) => found !== undefined);
  }

  page(after: string, limit: number): readonly StoredSchedule[] {
    const names = [...this.byName.keys()].filter((name) => name > after).sort();
    return this.get(names.slice(0, limit));
  }

  put(writes: readonly ScheduleWrite[]): readonly boolean[] {
    return writes.map(({ name, due, body, expected }) => {
      const stored = this.byName.get(name);
      if ((stored?.version ?? 0) !== expected) return false;
      if (stored !== undefined) this.unlist(stored);
      const schedule = { name, version: expected + 1, due, body };
      this.byName.set(name, schedule);
      if (due !== null) this.byDue.splice(this.position(due, name), 0, schedule);
      return true;
    });
  }

  remove(name: string): boolean {
    const stored = this.byName.get(name);
    if (stored === undefined) return false;
    this.unlist(stored);
    return this.byName.delete(name);
  }

  private unlist({ due, name }: StoredSchedule): void {
    if (due !== null) this.byDue.splice(this.position(due, name), 1);
  }

  /** The index of a schedule, or of the place where it belongs. */
  private position(due: number, name: string): number {
    let low = 0;
    let high = this.byDue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.byDue[middle] as StoredSchedule & { readonly due: number };
      if (other.due < due || (other.due === due && other.name < name)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
