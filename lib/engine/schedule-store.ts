import type { MaybePromise } from '../job/async.js';

/** A schedule as an engine stores it. An engine reads only `name`, `version` and `due`. */
export interface StoredSchedule {
  /** 1 to 255 characters. */
  readonly name: string;
  /** 1 for a new schedule; one more with each write. */
  readonly version: number;
  /** When a worker must look at it next, in milliseconds since the epoch; `null` for never. */
  readonly due: number | null;
  /** JSON text, usually about 1 KB. */
  readonly body: string;
}

/** A write that happens only if the stored version is `expected`: 0 for a name that is not stored. */
export interface ScheduleWrite extends Omit<StoredSchedule, 'version'> {
  readonly expected: number;
}

/**
 * The schedules of all processes that share the engine. Flowrra keeps the rules; a store compares versions, so
 * that of several workers with the same schedule only one advances it.
 */
export interface ScheduleStore {
  /** The schedules with a `due`, earliest first, at most `limit`. */
  earliest(limit: number): MaybePromise<readonly StoredSchedule[]>;
  /** Those of the names that are stored, in any order. At most 500 names. */
  get(names: readonly string[]): MaybePromise<readonly StoredSchedule[]>;
  /** Schedules in the order of their names (by code units), from the first one after `after`; at most `limit`. */
  page(after: string, limit: number): MaybePromise<readonly StoredSchedule[]>;
  /**
   * Writes schedules, each on its own: the answer says for each one whether its version was the expected one. A
   * promise resolves when the writes are as safe as a job. At most 500 writes, each with a name of its own.
   */
  put(writes: readonly ScheduleWrite[]): MaybePromise<readonly boolean[]>;
  /** Whether a schedule with that name was stored, and has been removed. */
  remove(name: string): MaybePromise<boolean>;
}
