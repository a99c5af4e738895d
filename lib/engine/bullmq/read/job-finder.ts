import { isFinal, type TaskStatus, type JobRow } from '../../../job/job.js';
import { type RowPage, type JobQuery, badCursor, matches } from '../../../job/query.js';
import type { BullQueues } from '../server/bull-queues.js';
import type { JobList, ServerJobs } from '../server/bull-server.js';
import { rowOf } from './job-row.js';

/** The most jobs that are read for one page. */
const MAX_READ = 1_000;
/** How many jobs are read at once. */
const MAX_AT_ONCE = 200;
const MIN_AT_ONCE = 50;

/** The lists that may hold jobs of a status, in the order of the pages. */
const LISTS: readonly (readonly [JobList, readonly TaskStatus[]])[] = [
  ['active', ['running']],
  ['waiting', ['pending', 'retrying']],
  ['prioritized', ['pending', 'retrying']],
  ['delayed', ['pending', 'retrying']],
  ['suspended', ['suspended']],
  ['failed', ['failed', 'cancelled']],
  ['completed', ['success']],
];

interface Position {
  readonly queue: string;
  readonly list: JobList;
  readonly offset: number;
}

/** Reads BullMQ's lists one after the other, in bounded pieces. */
export class JobFinder {
  constructor(
    private readonly queues: BullQueues,
    private readonly jobs: ServerJobs,
  ) {}

  async find(query: JobQuery): Promise<RowPage> {
    const found: JobRow[] = [];
    let position: Position | null = query.cursor === null ? this.from(0, query) : this.at(query.cursor);
    let left = MAX_READ;
    while (position !== null && left > 0 && found.length < query.limit) {
      const count = Math.min(left, MAX_AT_ONCE, sizeFor(query, query.limit - found.length));
      const { queue, list, offset }: Position = position;
      const ids = await this.jobs.list(queue, list, offset, count);
      const rows = await this.rowsOf(queue, list, ids);
      let seen = 0;
      for (const row of rows) {
        if (found.length === query.limit) break;
        seen++;
        if (row !== null && matches(query, row)) found.push(row);
      }
      left -= seen;
      if (seen < ids.length || ids.length === count) position = { queue, list, offset: offset + seen };
      else position = this.from(this.indexOf(position) + 1, query);
    }
    return { rows: found, cursor: position === null ? null : cursorOf(position) };
  }

  private async rowsOf(queue: string, list: JobList, ids: readonly string[]): Promise<(JobRow | null)[]> {
    const places = ids.map((taskId) => ({ queue, taskId }));
    const isDelayed = list === 'delayed' || list === 'suspended';
    const [found, delays] = await Promise.all([
      Promise.all(ids.map((taskId) => this.queues.look(queue, taskId, isDelayed ? 'delayed' : list))),
      isDelayed ? this.jobs.delays(places) : [],
    ]);
    return found.map((one, index) => {
      if (one === null || this.queues.isDropped(one.job)) return null;
      const row = rowOf(one.job, one.list, queue, delays[index]);
      // A suspended job is in both lists.
      return isDelayed && (row.status === 'suspended') !== (list === 'suspended') ? null : row;
    });
  }

  /** The beginning of the first list from that index on that may hold matching jobs. */
  private from(index: number, { queue, status, finishedBefore }: JobQuery): Position | null {
    const { names } = this.queues;
    for (let next = index; next < names.length * LISTS.length; next++) {
      const name = names[Math.floor(next / LISTS.length)] as string;
      const [list, statuses] = LISTS[next % LISTS.length] as (typeof LISTS)[number];
      const fits = statuses.some(
        (one) =>
          (status === undefined || status.includes(one)) && (finishedBefore === undefined || isFinal(one)),
      );
      if (fits && (queue === undefined || queue === name)) return { queue: name, list, offset: 0 };
    }
    return null;
  }

  /** The end of the page before. */
  private at(cursor: string): Position {
    const position = positionIn(cursor);
    if (position !== null && this.queues.names.includes(position.queue)) return position;
    throw badCursor(cursor);
  }

  private indexOf({ queue, list }: Position): number {
    const inQueue = LISTS.findIndex(([name]) => name === list);
    return this.queues.names.indexOf(queue) * LISTS.length + inQueue;
  }
}

/** How many jobs to read to find `count` matching ones: more if the query has conditions. */
function sizeFor({ status, task, from, to, finishedBefore }: JobQuery, count: number): number {
  const isUnfiltered = [status, task, from, to, finishedBefore].every((condition) => condition === undefined);
  return isUnfiltered ? count : Math.max(count, MIN_AT_ONCE);
}

function cursorOf({ queue, list, offset }: Position): string {
  return Buffer.from([offset, list, queue].join(' ')).toString('base64url');
}

/** `null` if the cursor comes from no page. */
function positionIn(cursor: string): Position | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, offset, name, queue] = /^(\d{1,9}) ([a-z]+) ([\w.-]+)$/.exec(text) ?? [];
  const [list] = LISTS.find(([one]) => one === name) ?? [];
  return queue === undefined || list === undefined ? null : { queue, list, offset: Number(offset) };
}
