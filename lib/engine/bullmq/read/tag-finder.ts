import type { JobRow } from '../../../job/job.js';
import { badCursor, type JobQuery, matches, type RowPage } from '../../../job/query.js';
import type { BullQueues } from '../server/bull-queues.js';
import type { ServerJobs, TagPosition } from '../server/bull-server.js';
import { rowOf } from './job-row.js';

/** The most jobs that are read for one page. */
const MAX_READ = 1_000;
/** How many jobs are read at once. */
const MAX_AT_ONCE = 200;

interface Position {
  readonly queue: string;
  /** `null` for the first job. */
  readonly before: TagPosition | null;
}

/** Reads the jobs of a tag, queue by queue, the latest submission first, in bounded pieces. */
export class TagFinder {
  constructor(
    private readonly queues: BullQueues,
    private readonly jobs: ServerJobs,
  ) {}

  async find(query: JobQuery, tag: string): Promise<RowPage> {
    const rows: JobRow[] = [];
    const { cursor, limit } = query;
    let position = cursor === null ? this.from(0, query) : this.at(cursor);
    let left = MAX_READ;
    while (position !== null && left > 0 && rows.length < limit) {
      const { queue, before }: Position = position;
      const count = Math.min(left, MAX_AT_ONCE, limit - rows.length);
      const entries = await this.jobs.tags.list(queue, tag, before, count);
      const taskIds = entries.map(({ taskId }) => taskId);
      for (const row of await this.rowsOf(queue, taskIds)) if (matches(query, row)) rows.push(row);
      left -= entries.length;
      const last = entries.at(-1);
      if (last !== undefined && entries.length === count) position = { queue, before: last };
      else position = this.from(this.queues.names.indexOf(queue) + 1, query);
    }
    return { rows, cursor: position === null ? null : cursorOf(position) };
  }

  private async rowsOf(queue: string, taskIds: readonly string[]): Promise<JobRow[]> {
    const found = await Promise.all(taskIds.map((taskId) => this.queues.look(queue, taskId)));
    const gone = taskIds.filter((_, index) => found[index] === null);
    if (gone.length > 0) await this.jobs.tags.forget(queue, gone);
    const kept = found.filter((one) => one !== null).filter(({ job }) => !this.queues.isDropped(job));
    const delayed = kept.filter(({ list }) => list === 'delayed');
    const places = delayed.map(({ job }) => ({ queue, taskId: job.id as string }));
    const delays = places.length === 0 ? [] : await this.jobs.delays(places);
    return kept.map((one) => rowOf(one.job, one.list, queue, delays[delayed.indexOf(one)]));
  }

  /** The first job of the first queue from that index on. */
  private from(index: number, { queue }: JobQuery): Position | null {
    const name = this.queues.names.slice(index).find((one) => queue === undefined || queue === one);
    return name === undefined ? null : { queue: name, before: null };
  }

  /** The end of the page before. */
  private at(cursor: string): Position {
    const position = positionIn(cursor);
    if (position !== null && this.queues.names.includes(position.queue)) return position;
    throw badCursor(cursor);
  }
}

function cursorOf({ queue, before }: Position): string {
  return Buffer.from(JSON.stringify([queue, before?.at, before?.taskId])).toString('base64url');
}

/** `null` if the cursor comes from no page. */
function positionIn(cursor: string): Position | null {
  try {
    const [queue, at, taskId] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof queue !== 'string') return null;
    if (at === null && taskId === null) return { queue, before: null };
    return Number.isSafeInteger(at) && typeof taskId === 'string'
      ? { queue, before: { at: at as number, taskId } }
      : null;
  } catch {
    return null;
  }
}
