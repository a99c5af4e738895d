import type { Metadata } from '../job/job.js';

/** What a {@link TaskContext} is made of. */
export interface ContextSource {
  readonly taskId: string;
  readonly taskName: string;
  readonly attemptNumber: number;
  /** Milliseconds since the epoch. */
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
  progress(value: unknown): void;
  log(line: string): void;
}

/**
 * What a running task knows of its job, and what it may say of itself. Ask for it with a last
 * parameter decorated with `@TaskCtx()`; callers leave that argument out.
 */
export abstract class TaskContext {
  /** Makes the type nominal, so that only a real context is left out of a task's arguments. */
  declare private readonly _taskContext: true;

  /** The job's id, as `submit` returned it. */
  abstract readonly taskId: string;
  /** The name of its task. */
  abstract readonly taskName: string;
  /** The number of this attempt, from 1. A snoozed job comes back with the same number. */
  abstract readonly attempt: number;
  /** When the job was submitted, by the submitter's clock. */
  abstract readonly submittedAt: Date;
  /** As it was given with the job; 0 otherwise. */
  abstract readonly priority: number;
  /** What the submitter gave with the job; `{}` for nothing. */
  abstract readonly metadata: Metadata;
  /**
   * Aborted when the attempt should end: its `timeout` is over, its job has been cancelled, or the
   * application is stopping and its deadline has come. Pass it to whatever can be interrupted.
   */
  abstract readonly signal: AbortSignal;

  /**
   * Says how far the task is: a number, or any plain data of at most 16 KiB. Anybody may read it
   * while the job runs, as `progress` of its result and in `events$`; the latest is kept. Calling it
   * often is fine: at most a few a second are stored.
   *
   * @throws {PayloadError} if the value cannot travel, or is too large.
   */
  abstract progress(value: unknown): void;
  /** Keeps a line with the job, for `flowrra.jobs.get(taskId)`: the last 200 of a job, 2,000 characters each. */
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
