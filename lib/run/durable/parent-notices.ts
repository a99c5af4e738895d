import { Logger } from '@nestjs/common';
import type { JournalStore } from '../../engine/journal-store.js';
import type { Clock } from '../../job/clock.js';
import type { Attempt, JobRow } from '../../job/job.js';
import { type ChildRecord, entryOf } from '../../job/journal/journal-record.js';
import { parentOf } from '../../job/metadata.js';
import { errorsAfter, type Outcome } from '../../job/outcome.js';
import { printed, shownText } from '../../job/show-value.js';
import { type LazyAbort, pauseUntil } from '../lazy-abort.js';
import { childEnd } from './child-end.js';

const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 15_000;

/** Tells the journals of parents of the ends of their child jobs. */
export class ParentNotices {
  private readonly logger = new Logger('Flowrra');

  constructor(
    private readonly journals: JournalStore,
    private readonly clock: Clock,
  ) {}

  /**
   * Before a child job's end is stored. Repeats until the engine has answered, and resolves with `true`; with `false` if
   * `end` is aborted before.
   */
  async tell(parentId: string, attempt: Attempt, outcome: Outcome, end: LazyAbort): Promise<boolean> {
    const record = recordOf(attempt, outcome, this.clock.now());
    if (record === null) return true;
    for (let pause = MIN_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
      try {
        await this.journals.post(parentId, entryOf(record));
        return true;
      } catch (error) {
        if (end.aborted) return false;
        if (pause === MIN_PAUSE_MS) this.notTold(attempt.taskId, parentId, error);
        await pauseUntil(end, pause, this.clock);
      }
    }
  }

  /** A waiting child job was cancelled. Its parent finds that out by itself, later, if it cannot be told. */
  async cancelled(row: JobRow): Promise<void> {
    const parentId = parentOf(row.metadata);
    if (parentId === undefined) return;
    try {
      await this.journals.post(parentId, entryOf(childEnd(row, null)));
    } catch (error) {
      this.notTold(row.taskId, parentId, error);
    }
  }

  private notTold(taskId: string, parentId: string, error: unknown): void {
    this.logger.error(
      `The job ${shownText(parentId)} could not be told of the end of its child job ${shownText(taskId)}, which is tried again: ${printed(error)}`,
    );
  }
}

/** `null` for an outcome after which the job goes on. */
function recordOf({ taskId, errors }: Attempt, outcome: Outcome, finishedAt: number): ChildRecord | null {
  const about = { taskId, finishedAt, errors, reason: null };
  switch (outcome.kind) {
    case 'success':
      return childEnd({ ...about, status: 'success' }, outcome.result);
    case 'failed':
      return childEnd({ ...about, status: 'failed', errors: errorsAfter(errors, outcome.error) }, null);
    case 'cancelled':
      return childEnd({ ...about, status: 'cancelled', reason: outcome.reason }, null);
    default:
      return null;
  }
}
