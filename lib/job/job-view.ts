import type { JobRow, Metadata, TaskStatus } from './job.js';
import { metadataOf } from './metadata.js';
import { jsonView } from './json-view.js';
import type { TaskResultFields } from './task-result.js';
import { TaskSnapshot } from './task-snapshot.js';

/** A job as lists show it. */
export interface JobSummary extends TaskResultFields {
  readonly status: TaskStatus;
  /** What it has returned; `null` unless it has succeeded. */
  readonly result: unknown;
  /** The queue that it waits in, or has waited in. */
  readonly queue: string;
  /** 0 to 2,097,151; lower runs first. */
  readonly priority: number;
  /** When it comes due, while it is delayed or waits for a retry; else `null`. */
  readonly dueAt: Date | null;
  /** What its submitter gave with it; `{}` for nothing. */
  readonly metadata: Metadata;
  /**
   * Names of the fields that cannot be read, since another program or a person has written to the
   * store: such a field is `null` or empty. `[]` for none.
   */
  readonly unreadable: readonly string[];
  /** Plain JSON for an HTTP answer. */
  toJSON(): Record<string, unknown>;
}

/** One line that a task has logged. */
export interface JobLogLine {
  /** When it was logged, by the clock of the process that ran the task. */
  readonly at: Date;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  readonly line: string;
}

/** A job with all that is known of it. */
export interface JobDetails extends JobSummary {
  /** Its arguments; `null` if they are not kept any more, or cannot be read. */
  readonly args: readonly unknown[] | null;
  /** What it has logged, oldest first. */
  readonly logs: readonly JobLogLine[];
}

/** What a `Date` can hold, in milliseconds since the epoch: a delay may be longer. */
const LATEST = 8.64e15;

const NONE: readonly string[] = [];

class Summary extends TaskSnapshot implements JobSummary {
  readonly queue: string;
  readonly priority: number;
  readonly dueAt: Date | null;
  readonly metadata: Metadata;
  readonly unreadable: readonly string[];

  constructor(info: JobRow) {
    super(info);
    this.queue = info.queue;
    this.priority = info.priority;
    this.dueAt = info.dueAt === null ? null : new Date(Math.min(info.dueAt, LATEST));
    this.metadata = metadataOf(info.metadata);
    this.unreadable = info.unreadable ?? NONE;
  }

  override toJSON(): Record<string, unknown> {
    return {
      ...super.toJSON(),
      queue: this.queue,
      priority: this.priority,
      dueAt: this.dueAt?.toISOString() ?? null,
      metadata: jsonView(this.metadata),
      unreadable: this.unreadable,
    };
  }
}

class Details extends Summary implements JobDetails {
  readonly args: readonly unknown[] | null;
  readonly logs: readonly JobLogLine[];

  constructor(row: JobRow) {
    super(row);
    this.args = row.args ?? null;
    this.logs = (row.logs ?? []).map((line) => ({ ...line, at: new Date(line.at) }));
  }

  override toJSON(): Record<string, unknown> {
    const { args, logs } = this;
    return {
      ...super.toJSON(),
      args: jsonView(args),
      logs: logs.map(({ at, attempt, line }) => ({ at: at.toISOString(), attempt, line })),
    };
  }
}

export function jobSummaryOf(info: JobRow): JobSummary {
  return new Summary(info);
}

export function jobDetailsOf(row: JobRow): JobDetails {
  return new Details(row);
}
