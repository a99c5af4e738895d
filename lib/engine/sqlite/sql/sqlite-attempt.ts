import { payloadFromText } from '../../../job/payload/payload-text.js';
import { argsFrom, isTime, metadataFrom } from '../../../job/stored-fields.js';
import type { TaskStatus, Attempt, AttemptError, Metadata } from '../../../job/job.js';
import type { PolicyOverrides } from '../../../job/policy.js';
import { overridesFrom } from '../../../job/overrides.js';
import { decodeErrors } from './job-row.js';

/** A row of `jobs` as it was before its claim, except for `claims`. */
export interface ClaimedRow {
  readonly id: number;
  readonly task_id: string;
  readonly task: string;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly priority: number;
  /** Its place among the waiting jobs. */
  readonly place: number;
  /** The number of the claim: the token with which the attempt is settled. */
  readonly claims: number;
  /** How often the current attempt was rescued from a dead worker after it had begun; -1 after one rescue that may have been before. */
  readonly rescues: number;
  readonly retries: number;
  readonly submitted_at: number;
  /** The start of the previous attempt; `null` if there was none. */
  readonly started_at: number | null;
  readonly args: string | null;
  readonly overrides: string | null;
  readonly errors: string | null;
  readonly metadata: string | null;
  /** 1 if an attempt has appended to the job's journal. */
  readonly appended: number | null;
}

export const CLAIMED_COLUMNS =
  'id, task_id, task, queue, status, priority, place, claims, rescues, retries, submitted_at, started_at, args, overrides, errors, metadata, appended';

/** An attempt at a job of the file. */
export class SqliteAttempt implements Attempt {
  startedAt = 0;
  /** When the lease was last renewed, in monotonic milliseconds. */
  renewedAt = 0;
  /** Why the job has been cancelled, as soon as this process knows; `null` otherwise. */
  cancelReason: string | null = null;
  /** Whether it has stored a report. */
  reported = false;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  readonly errors: readonly AttemptError[];
  /** The error of an unreadable row, which another program has written; `null` for a readable one. */
  private readonly unreadable: unknown = null;

  /**
   * @param largeArgs Reads arguments that are not stored in the row.
   * @param lost Whether the job was rescued from dead workers more often than `maxRescues` allows.
   */
  constructor(
    readonly row: ClaimedRow,
    private readonly largeArgs: (id: number) => string,
    readonly lost: boolean,
  ) {
    try {
      this.metadata = row.metadata === null ? undefined : metadataFrom(payloadFromText(row.metadata));
      this.overrides = row.overrides === null ? undefined : overridesFrom(payloadFromText(row.overrides));
      this.errors = decodeErrors(row.errors);
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

  get isResumed(): boolean {
    return this.row.appended !== null;
  }

  /** @throws {PayloadError} if the row is unreadable. */
  args(): unknown[] {
    if (this.unreadable !== null) throw this.unreadable;
    return argsFrom(payloadFromText(this.row.args ?? this.largeArgs(this.row.id)));
  }
}
