import type { Metadata } from '../job/job.js';
import type { ScheduleMark } from '../job/metadata.js';

/** The occurrence of a schedule that a job runs for. */
export interface TaskSchedule {
  /** The schedule's name. */
  readonly name: string;
  /** The time of the occurrence, by the schedule: the attempt starts later. For a triggered job, the time of the trigger. */
  readonly at: Date;
  /** The number of missed occurrences that this job makes up for; 0 for a job that is on time. */
  readonly missed: number;
  /** Whether `schedules.trigger` submitted the job. */
  readonly manual: boolean;
}

/** The source of a {@link TaskContext}. */
export interface ContextSource {
  readonly taskId: string;
  readonly taskName: string;
  readonly attemptNumber: number;
  /** Milliseconds since the epoch. */
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Metadata;
  readonly schedule: ScheduleMark | undefined;
  readonly signal: AbortSignal;
  progress(value: unknown): void;
  log(line: string): void;
}

/**
 * The job of a running task, its signal, and its progress and log. To get it, decorate the last parameter
 * of the task with `@TaskCtx()`; callers leave that argument out.
 */
export abstract class TaskContext {
  /** Makes the type nominal: only a real context is removed from a task's arguments. */
  declare private readonly _taskContext: true;

  /** The job's id, as `submit` returned it. */
  abstract readonly taskId: string;
  /** The name of its task. */
  abstract readonly taskName: string;
  /** The number of this attempt, from 1. Snoozing does not change the number. */
  abstract readonly attempt: number;
  /** When the job was submitted, by the submitter's clock. */
  abstract readonly submittedAt: Date;
  /** The job's priority; 0 if the submission gave none. */
  abstract readonly priority: number;
  /** The submitter's metadata; `{}` for none. */
  abstract readonly metadata: Metadata;
  /** The occurrence of a schedule; `null` for a job that was submitted otherwise. */
  abstract readonly schedule: TaskSchedule | null;
  /**
   * Aborted when the attempt should end: after its `timeout`, when its job is cancelled, and at the
   * deadline of a stopping application. Pass it to every call that accepts an `AbortSignal`.
   */
  abstract readonly signal: AbortSignal;

  /**
   * Reports the progress of the task: a number, or any plain data of at most 16 KiB. It is readable
   * while the job runs, as `progress` of its result and in `events$`; the latest value is stored. Call
   * it as often as you like: at most a few values a second are stored.
   *
   * @throws {PayloadError} if the value cannot be serialized, or is too large.
   */
  abstract progress(value: unknown): void;
  /** Adds a line to the job's log, which `flowrra.jobs.get(taskId)` returns: the last 200 lines, of 2,000 characters each. */
  abstract log(line: string): void;
}

/** The context of one attempt. */
export class AttemptContext extends TaskContext {
  constructor(private readonly source: ContextSource) {
    super();
  }

  get taskId(): string {
    return this.source.taskId;
  }

  get taskName(): string {
    return this.source.taskName;
  }

  get attempt(): number {
    return this.source.attemptNumber;
  }

  get submittedAt(): Date {
    return new Date(this.source.submittedAt);
  }

  get priority(): number {
    return this.source.priority;
  }

  get metadata(): Metadata {
    return this.source.metadata;
  }

  get schedule(): TaskSchedule | null {
    const { schedule } = this.source;
    return schedule === undefined ? null : { ...schedule, at: new Date(schedule.at) };
  }

  get signal(): AbortSignal {
    return this.source.signal;
  }

  progress(value: unknown): void {
    this.source.progress(value);
  }

  log(line: string): void {
    this.source.log(line);
  }
}
