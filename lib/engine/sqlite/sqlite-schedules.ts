import { ExecutorNotRunningError } from '../../job/errors.js';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../schedule-store.js';
import { rowsFor } from './file/group-commit.js';
import type { JobsFile } from './file/jobs-file.js';

/** Up to this many schedules are written in a transaction that other writes share. */
const MAX_SHARED = 20;

/** Schedules of the file, which all processes that have opened it share. */
export class SqliteSchedules implements ScheduleStore {
  private closed = false;

  constructor(private readonly file: JobsFile) {}

  close(): void {
    this.closed = true;
  }

  earliest(limit: number): readonly StoredSchedule[] {
    return this.open.schedules.earliest(limit);
  }

  get(names: readonly string[]): readonly StoredSchedule[] {
    return this.open.schedules.named(names);
  }

  page(after: string, limit: number): readonly StoredSchedule[] {
    return this.open.schedules.after(after, limit);
  }

  /** In one transaction: if it fails, none of the writes has been made. */
  async put(writes: readonly ScheduleWrite[]): Promise<readonly boolean[]> {
    const { commit, schedules } = this.open;
    if (writes.length <= MAX_SHARED) {
      const rows = writes.reduce((sum, { body }) => sum + rowsFor(body), 0);
      return commit.write(() => writes.map((write) => schedules.put(write)), rows);
    }
    return commit.writeEach(writes, (write) => ({ value: schedules.put(write), rows: rowsFor(write.body) }));
  }

  async remove(name: string): Promise<boolean> {
    const { commit, schedules } = this.open;
    return commit.write(() => schedules.remove(name));
  }

  /** @throws {ExecutorNotRunningError} after {@link close}. */
  private get open(): JobsFile {
    if (!this.closed) return this.file;
    throw new ExecutorNotRunningError('The database file is not open.');
  }
}
