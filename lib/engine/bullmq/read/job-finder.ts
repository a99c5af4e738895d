import type { TaskStatus } from '../../../job/status.js';
import type { JobRow } from '../../../job/job.js';
import { type RowPage, type JobQuery, badCursor, matches } from '../../../job/query.js';
import type { BullQueues, FoundJob } from '../server/bull-queues.js';
import { infoOf } from './job-view.js';
import type { JobList, ServerJobs } from '../server/server-jobs.js';

/** At most so many jobs are looked at for one page, and so many at a time. */
const MOST_LOOKED_AT = 1_000;
const AT_A_TIME = 200;
const FEWEST_AT_A_TIME = 50;

/** Where jobs of a status may lie, in the order in which they are listed. */
const LISTS: readonly (readonly [JobList, readonly TaskStatus[]])[] = [
  ['active', ['running']],
  ['waiting', ['pending', 'retrying']],
  ['prioritized', ['pending', 'retrying']],
  ['delayed', ['pending', 'retrying']],
  ['failed', ['failed', 'cancelled']],
  ['completed', ['success']],
];

interface Position {
  readonly queue: string;
  readonly list: JobList;
  readonly offset: number;
}

/** Goes through BullMQ's lists, one after the other, in bounded pieces. */
export class JobFinder {
  constructor(
    private readonly queues: BullQueues,
    private readonly jobs: ServerJobs,
    private readonly isDropped: (found: FoundJob) => boolean,
  ) {}

  async find(query: JobQuery): Promise<RowPage> {
    const found: JobRow[] = [];
    let position: Position | null = query.cursor === null ? this.from(0, query) : this.at(query.cursor);
    let left = MOST_LOOKED_AT;
    while (position !== null && left > 0 && found.length < query.limit) {
      const count = Math.min(left, AT_A_TIME, this.needed(query, query.limit - found.length));
      const { queue, list, offset }: Position = position;
      const ids = await this.jobs.list(queue, list, offset, count);
      const infos = await this.infosOf(queue, list, ids);
      let seen = 0;
      for (const info of infos) {
        if (found.length === query.limit) break;
        seen++;
        if (info !== null && matches(query, info)) found.push(info);
      }
      left -= seen;
      if (seen < ids.length || ids.length === count) position = { queue, list, offset: offset + seen };
      else position = this.from(this.indexOf(position) + 1, query);
    }
    return { rows: found, cursor: position === null ? null : cursorOf(position) };
  }

  /** How many it takes to find so many: more, where jobs are asked for that have something in particular. */
  private needed({ status, task, from, to }: JobQuery, count: number): number {
    const any = [status, task, from, to].every((asked) => asked === undefined);
    return any ? count : Math.max(count, FEWEST_AT_A_TIME);
  }

  private async infosOf(queue: string, list: JobList, ids: readonly string[]): Promise<(JobRow | null)[]> {
    const places = ids.map((taskId) => ({ queue, taskId }));
    const [found, dues] = await Promise.all([
      Promise.all(ids.map((taskId) => this.queues.look(queue, taskId, list))),
      list === 'delayed' ? this.jobs.dueTimes(places) : [],
    ]);
    return found.map((one, index) =>
      one === null || this.isDropped(one) ? null : infoOf(one.job, one.list, queue, dues[index] ?? null),
    );
  }

  /** The beginning of the next list, from that index on, that may hold what is asked for. */
  private from(index: number, { queue, status }: JobQuery): Position | null {
    const { names } = this.queues;
    for (let next = index; next < names.length * LISTS.length; next++) {
      const name = names[Math.floor(next / LISTS.length)] as string;
      const [list, statuses] = LISTS[next % LISTS.length] as (typeof LISTS)[number];
      const fits = status === undefined || statuses.some((one) => status.includes(one));
      if (fits && (queue === undefined || queue === name)) return { queue: name, list, offset: 0 };
    }
    return null;
  }

  /** Where a page has ended. */
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

function cursorOf({ queue, list, offset }: Position): string {
  return Buffer.from([offset, list, queue].join(' ')).toString('base64url');
}

/** `null` for a cursor that no page has ended with. */
function positionIn(cursor: string): Position | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, offset, name, queue] = /^(\d{1,9}) ([a-z]+) ([\w.-]+)$/.exec(text) ?? [];
  const [list] = LISTS.find(([one]) => one === name) ?? [];
  return queue === undefined || list === undefined ? null : { queue, list, offset: Number(offset) };
}
