import { payloadFromText } from '../../../job/payload/payload-text.js';
import { argsFrom, isTime, metadataFrom } from '../../../job/stored-fields.js';
import type { TaskStatus } from '../../../job/status.js';
import type { PolicyOverrides } from '../../../job/policy.js';
import type { Attempt, AttemptError, Metadata } from '../../../job/job.js';
import { overridesFrom } from '../../../job/overrides.js';
import { errorsIn } from './job-row.js';

/** A row of `jobs`, as a worker takes it. */
export interface ClaimedRow {
  readonly id: number;
  readonly task_id: string;
  readonly task: string;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly priority: number;
  /** Where it stood in line. */
  readonly place: number;
  /** Of the claim, which is its token. */
  readonly claims: number;
  /** How many workers are known to have died with the present attempt after it had begun; -1 if only one that may not have begun it. */
  readonly rescues: number;
  readonly retries: number;
  readonly submitted_at: number;
  /** Of the attempt before, if there was one. */
  readonly started_at: number | null;
  readonly args: string | null;
  readonly overrides: string | null;
  readonly errors: string | null;
  readonly metadata: string | null;
}

/** One attempt at a job of the file. */
export class SqliteAttempt implements Attempt {
  startedAt = 0;
  /** When the lease was last renewed, in steady time. */
  renewedAt = 0;
  /** Whether it has been told that its job is cancelled. */
  told = false;
  /** Whether it has said something of its progress. */
  reported = false;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  readonly errors: readonly AttemptError[];
  /** Why the row cannot be read, if it cannot: somebody else has written to it. */
  private readonly unreadable: unknown = null;

  /**
   * @param largeArgs Reads arguments that do not lie in the row.
   * @param lost Whether it was taken over from dead workers too often to be run once more.
   */
  constructor(
    readonly row: ClaimedRow,
    private readonly largeArgs: (id: number) => string,
    readonly lost: boolean,
  ) {
    try {
      this.metadata = row.metadata === null ? undefined : metadataFrom(payloadFromText(row.metadata));
      this.overrides = row.overrides === null ? undefined : overridesFrom(payloadFromText(row.overrides));
      this.errors = errorsIn(row.errors);
    } catch (error) {
      this.unreadable = error;
      this.metadata = undefined;
      this.overrides = undefined;
      this.errors = [];
    }
  }

  get taskId(): string {
    return this.row.task_id;
  }

  get taskName(): string {
    return this.row.task;
  }

  get queue(): string {
    return this.row.queue;
  }

  get priority(): number {
    return this.row.priority;
  }

  get submittedAt(): number {
    const { submitted_at: at } = this.row;
    return isTime(at) ? at : 0;
  }

  get retries(): number {
    return this.row.retries;
  }

  /** @throws {PayloadError} if what lies in the file is no payload of Flowrra's. */
  args(): unknown[] {
    if (this.unreadable !== null) throw this.unreadable;
    return argsFrom(payloadFromText(this.row.args ?? this.largeArgs(this.row.id)));
  }
}
