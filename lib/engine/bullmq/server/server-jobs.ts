import type { BullJob } from '../job-mapping.js';

/** A job, and the queue where it lies. */
export interface JobPlace {
  readonly queue: string;
  readonly taskId: string;
}

/** Where BullMQ keeps jobs of one state. */
export type JobList = 'active' | 'waiting' | 'prioritized' | 'delayed' | 'failed' | 'completed';

/** What takes the place of a delayed job's own. */
export interface Debounced {
  /** Its data, as JSON. */
  readonly data: string;
  readonly delay: number;
}

/** What became of a cancellation, and in which words: those of the first one. */
export interface Cancelled {
  readonly kind: 'cancelled' | 'told' | 'finished' | 'unknown';
  readonly text: string | null;
}

/**
 * What BullMQ has no call for, or only one that would also hit a job that somebody else has just
 * started, finished or put back. Each is one step on the server, so that of two who act on a job at
 * once, in whichever processes, one comes first and the other finds what the first has left.
 */
export interface ServerJobs {
  /**
   * Makes a job that waits a failed one, with `text` as what it has failed of. One that is active
   * gets `text` as a failure that is due: BullMQ fails it when it would be started again.
   */
  cancel(place: JobPlace, text: string): Promise<Cancelled>;
  /** The text of those that have a failure due, in their order. */
  requested(places: readonly JobPlace[]): Promise<(string | null)[]>;
  /** To be called for what ends as cancelled by another way than {@link cancel}, so that it is counted as that. */
  noteCancelled(place: JobPlace): Promise<void>;
  /** How many of the failed jobs of a queue were cancelled. */
  cancelledCount(queue: string): Promise<number>;
  /**
   * Keeps progress, as JSON, and further log rows of an active job, of which the last ones stay.
   * Does nothing if its lease is not `token`'s.
   */
  report(place: JobPlace, token: string, progress: string | null, rows: readonly string[]): Promise<void>;
  /**
   * Counts a start of an active job, if its lease is `token`'s, and returns how many were counted before. Only
   * jobs whose workers have died are counted, from their second start on.
   */
  countStart(place: JobPlace, token: string): Promise<number>;
  /** Whether there was a finished job, which is gone now. */
  remove(place: JobPlace): Promise<boolean>;
  /** Drops those of these jobs that finished at `until` or before. */
  dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void>;
  /** Whether there was a failed job that was not cancelled, which waits now, as if it had never been tried. */
  retry(place: JobPlace): Promise<boolean>;
  /**
   * Replaces the content of the job that stands for `key`, if it is delayed and was never started,
   * and returns its id. Otherwise it does not stand for it any more.
   */
  debounce(queue: string, key: string, by: Debounced): Promise<string | null>;
  /** What can be read of a job that BullMQ cannot read; `null` if there is none, or none that cannot be read. */
  salvage(place: JobPlace): Promise<BullJob | null>;
  /**
   * Makes those active jobs of a queue that BullMQ cannot read ones that it can, which say in their
   * data what was wrong, and releases them: the worker that claims one makes it fail.
   *
   * @returns How many there were. Jobs that `runs` here are passed over.
   */
  repair(queue: string, runs: (taskId: string) => boolean): Promise<number>;
  /** The same for one that has been handed out all the same, and stays so. */
  repairOne(place: JobPlace): Promise<void>;
  /** Ids of a list: those that wait in the order in which they run, finished ones from the newest on. */
  list(queue: string, list: JobList, offset: number, count: number): Promise<string[]>;
  /** When delayed jobs come due, in milliseconds since the epoch; `null` for one that is not delayed. */
  dueTimes(places: readonly JobPlace[]): Promise<(number | null)[]>;
}
