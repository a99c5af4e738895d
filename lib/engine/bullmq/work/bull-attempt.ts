import { isTime } from '../../../job/stored-fields.js';
import type { PolicyOverrides } from '../../../job/policy.js';
import type { Attempt, AttemptError, Metadata } from '../../../job/job.js';
import { checkReadable } from '../malformed-job.js';
import { argsOf, type BullJob, errorsOf, metadataOf, overridesOf } from '../job-mapping.js';

/** One attempt of a BullMQ job. */
export class BullAttempt implements Attempt {
  readonly taskId: string;
  readonly taskName: string;
  readonly submittedAt: number;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  readonly errors: readonly AttemptError[];
  /** Known before the attempt starts. */
  isResumed = false;
  /** Whether an attempt may have appended to the job's journal, this one included. */
  isJournalled = false;
  private readonly data: unknown;
  private readonly unreadable: unknown = null;

  constructor(
    job: BullJob,
    readonly queue: string,
    readonly priority: number,
    public startedAt: number,
    /** Known before the attempt starts. */
    public lost: boolean,
    readonly retries = job.attemptsMade || 0,
  ) {
    this.taskId = job.id as string;
    this.taskName = job.name;
    this.submittedAt = isTime(job.timestamp) ? job.timestamp : startedAt;
    this.errors = errorsOf(job.data);
    this.data = job.data;
    try {
      checkReadable(job);
      this.metadata = metadataOf(job.data);
      this.overrides = overridesOf(job.data);
    } catch (error) {
      this.unreadable = error;
      this.metadata = undefined;
      this.overrides = undefined;
    }
  }

  /** @throws {PayloadError} if another program has written the job, and it cannot be read. */
  args(): unknown[] {
    if (this.unreadable !== null) throw this.unreadable;
    return argsOf(this.data);
  }
}
