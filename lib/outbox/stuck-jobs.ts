import { lookedUpId } from '../job/names.js';
import type { StuckJob, StuckList } from './connected-outbox.js';
import { jobFromText } from './outbox-job.js';
import type { OutboxRow, OutboxTable } from './outbox-table.js';

const PAGE = 500;

/** The jobs that no relay tries to hand on any more. */
export class StuckJobs implements StuckList {
  /** @param wake Makes the relay of this process look at once. */
  constructor(
    private readonly table: OutboxTable,
    private readonly wake: () => void,
  ) {}

  /** All of them, oldest first; at most 10,000. */
  async list(): Promise<StuckJob[]> {
    const jobs: StuckJob[] = [];
    for (let after = 0; jobs.length < 20 * PAGE;) {
      const rows = await this.table.stuck(after, PAGE);
      jobs.push(...rows.map(stuckJob));
      if (rows.length < PAGE) break;
      after = rows.at(-1)?.seq ?? after;
    }
    return jobs;
  }

  /** Lets relays try again. `false` if no such job is stuck. */
  async retry(taskId: string): Promise<boolean> {
    if (!(await this.isStuck(taskId))) return false;
    await this.table.unpark(taskId);
    this.wake();
    return true;
  }

  /** Deletes the job, which never runs. `false` if no such job is stuck. */
  async remove(taskId: string): Promise<boolean> {
    if (!(await this.isStuck(taskId))) return false;
    await this.table.removeStuck(taskId);
    return true;
  }

  private async isStuck(taskId: string): Promise<boolean> {
    const id = lookedUpId(taskId);
    const row = id === null ? null : await this.table.find(id);
    return row?.isStuck === true;
  }
}

function stuckJob(row: OutboxRow): StuckJob {
  return {
    taskId: row.taskId,
    taskName: taskNameOf(row),
    submittedAt: new Date(row.createdAt),
    tries: row.tries,
    error: row.error ?? '',
  };
}

function taskNameOf({ taskId, job }: OutboxRow): string | null {
  try {
    return jobFromText(taskId, job, 0, 0).taskName;
  } catch {
    return null;
  }
}
