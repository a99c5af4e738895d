import type { JobRow, Metadata, TaskStatus } from './job.js';
import { metadataOf, parentOf } from './metadata.js';
import { ownTags } from './tags.js';
import type { JobStep } from './journal/journal-view.js';
import { jsonView } from './payload/payload-codec.js';
import { type TaskResultFields, TaskSnapshot } from './task-result.js';

/** A job as lists show it. */
export interface JobSummary extends TaskResultFields {
  readonly status: TaskStatus;
  /** The value that the task returned; `null` unless the job has succeeded. */
  readonly result: unknown;
  /** The queue of the job. */
  readonly queue: string;
  /** 0 to 2,097,151; lower runs first. */
  readonly priority: number;
  /** When the job is due, while it is delayed or waits for a retry; otherwise `null`. */
  readonly dueAt: Date | null;
  /** The metadata of the submission; `{}` for none. */
  readonly metadata: Metadata;
  /** The tags of the task and of the submission; `[]` for none. */
  readonly tags: readonly string[];
  /** The id of the job whose method has called this one; `null` for none. */
  readonly parentId: string | null;
  /**
   * The names of fields that cannot be read because something other than Flowrra has written to the store. Such
   * a field is `null` or empty. `[]` for none.
   */
  readonly unreadable: readonly string[];
  /** Plain JSON for an HTTP answer. */
  toJSON(): Record<string, unknown>;
}

/** One line of a task's log. */
export interface JobLogLine {
  /** The time of the line, by the clock of the process that ran the task. */
  readonly at: Date;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  readonly line: string;
}

/** A job with its arguments and its log. */
export interface JobDetails extends JobSummary {
  /** The arguments; `null` if they are no longer kept, or cannot be read. */
  readonly args: readonly unknown[] | null;
  /** The lines of the log, oldest first; at most the last 200. */
  readonly logs: readonly JobLogLine[];
  /** The steps of a durable job, in the order in which they began; `[]` for none. */
  readonly steps: readonly JobStep[];
}

/** The latest time that a `Date` can hold, in milliseconds since the epoch. A delay may end later. */
const LATEST = 8.64e15;

const NONE: readonly string[] = [];

class Summary extends TaskSnapshot implements JobSummary {
  readonly queue: string;
  readonly priority: number;
  readonly dueAt: Date | null;
  readonly metadata: Metadata;
  readonly tags: readonly string[];
  readonly parentId: string | null;
  readonly unreadable: readonly string[];

  constructor(row: JobRow) {
    super(row);
    this.queue = row.queue;
    this.priority = row.priority;
    this.dueAt = row.dueAt === null ? null : new Date(Math.min(row.dueAt, LATEST));
    this.metadata = metadataOf(row.metadata);
    this.tags = ownTags(row.tags);
    this.parentId = parentOf(row.metadata) ?? null;
    this.unreadable = row.unreadable ?? NONE;
  }

  override toJSON(): Record<string, unknown> {
    return {
      ...super.toJSON(),
      queue: this.queue,
      priority: this.priority,
      dueAt: this.dueAt?.toISOString() ?? null,
      metadata: jsonView(this.metadata),
      tags: this.tags,
      parentId: this.parentId,
      unreadable: this.unreadable,
    };
  }
}

class Details extends Summary implements JobDetails {
  readonly args: readonly unknown[] | null;
  readonly logs: readonly JobLogLine[];

  constructor(
    row: JobRow,
    readonly steps: readonly JobStep[],
  ) {
    super(row);
    this.args = row.args ?? null;
    this.logs = (row.logs ?? []).map((line) => ({ ...line, at: new Date(line.at) }));
  }

  override toJSON(): Record<string, unknown> {
    const { args, logs, steps } = this;
    return {
      ...super.toJSON(),
      args: jsonView(args),
      logs: logs.map(({ at, attempt, line }) => ({ at: at.toISOString(), attempt, line })),
      steps: steps.map(({ startedAt, endedAt, ...step }) => ({
        ...step,
        startedAt: startedAt.toISOString(),
        endedAt: endedAt?.toISOString() ?? null,
      })),
    };
  }
}

export function jobSummaryOf(row: JobRow): JobSummary {
  return new Summary(row);
}

/** @param steps The steps of its journal. */
export function jobDetailsOf(row: JobRow, steps: readonly JobStep[]): JobDetails {
  return new Details(row, steps);
}
