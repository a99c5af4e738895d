import type { ScheduleWrite, StoredSchedule } from '../../schedule-store.js';
import type { SqliteDatabase } from '../file/driver.js';

/** Reads and writes `schedules`. SQLite compares names byte by byte in UTF-8. */
export class ScheduleRows {
  private readonly findDue;
  private readonly findNamed;
  private readonly findAfter;
  private readonly insert;
  private readonly update;
  private readonly deleteRow;

  constructor(database: SqliteDatabase) {
    this.findDue = database.prepare<StoredSchedule>(
      `SELECT name, version, due, body FROM schedules WHERE due IS NOT NULL ORDER BY due, name LIMIT ?`,
    );
    this.findNamed = database.prepare<StoredSchedule>(
      `SELECT name, version, due, body FROM schedules WHERE name IN (SELECT value FROM json_each(?))`,
    );
    this.findAfter = database.prepare<StoredSchedule>(
      `SELECT name, version, due, body FROM schedules WHERE name > ? ORDER BY name LIMIT ?`,
    );
    this.insert = database.prepare(
      `INSERT INTO schedules (name, version, due, body) VALUES (?, 1, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.update = database.prepare(
      `UPDATE schedules SET version = version + 1, due = ?, body = ? WHERE name = ? AND version = ?`,
    );
    this.deleteRow = database.prepare('DELETE FROM schedules WHERE name = ?');
  }

  earliest(limit: number): readonly StoredSchedule[] {
    return this.findDue.all(limit);
  }

  named(names: readonly string[]): readonly StoredSchedule[] {
    return this.findNamed.all(JSON.stringify(names));
  }

  after(name: string, limit: number): readonly StoredSchedule[] {
    return this.findAfter.all(name, limit);
  }

  /** Returns whether the stored version was the expected one, so that the row has been written. */
  put({ name, expected, due, body }: ScheduleWrite): boolean {
    const changed =
      expected === 0 ? this.insert.run(name, due, body) : this.update.run(due, body, name, expected);
    return changed === 1;
  }

  remove(name: string): boolean {
    return this.deleteRow.run(name) === 1;
  }
}
