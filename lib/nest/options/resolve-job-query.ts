import { types } from 'node:util';
import type { TaskStatus } from '../../job/job.js';
import type { JobQuery } from '../../job/query.js';
import { checkKeys, keysOf, oneOf, wholeNumber, wrong } from '../../job/check.js';
import type { JobFilter, JobFindOptions } from './job-query-options.js';
import { checkQueueName, checkTaskName } from '../../job/names.js';

const FILTER_KEYS = keysOf<JobFilter>({ task: true, queue: true, from: true, to: true });
const FIND_KEYS = keysOf<JobFindOptions>({
  task: true,
  queue: true,
  from: true,
  to: true,
  status: true,
  cursor: true,
  limit: true,
});
const STATUSES: readonly TaskStatus[] = ['pending', 'running', 'retrying', 'success', 'failed', 'cancelled'];
const MOST_PER_PAGE = 1_000;

type Filter = Omit<JobQuery, 'status' | 'cursor' | 'limit'>;

/** @throws {FlowrraConfigError} naming the option, the value and what would be right. */
export function resolveJobFilter(filter: JobFilter): Filter {
  checkKeys(filter, FILTER_KEYS, 'filter');
  return resolveFilter(filter);
}

/** @throws {FlowrraConfigError} naming the option, the value and what would be right. */
export function resolveJobQuery(options: JobFindOptions): JobQuery {
  checkKeys(options, FIND_KEYS, 'find()');
  const { status, cursor = null, limit } = options;
  if (cursor !== null && typeof cursor !== 'string')
    throw wrong('cursor', cursor, 'Give that of the page before, or null.');
  return {
    ...resolveFilter(options),
    status: status === undefined ? undefined : resolveStatuses(status),
    cursor,
    limit: wholeNumber(limit, 'limit', { min: 1, max: MOST_PER_PAGE, fallback: 50 }),
  };
}

function resolveFilter({ task, queue, from, to }: JobFilter): Filter {
  return {
    task: task === undefined ? undefined : checkTaskName(task, 'task'),
    queue: queue === undefined ? undefined : checkQueueName(queue, 'queue'),
    from: resolveTime(from, 'from'),
    to: resolveTime(to, 'to'),
  };
}

function resolveStatuses(status: unknown): TaskStatus[] {
  const given: unknown[] = Array.isArray(status) ? status : [status];
  return given.map((each) => oneOf<TaskStatus>(each ?? null, 'status', STATUSES, 'pending'));
}

function resolveTime(time: unknown, path: string): number | undefined {
  if (time === undefined) return undefined;
  if (types.isDate(time) && !Number.isNaN(time.getTime())) return time.getTime();
  throw wrong(path, time, 'It must be a valid Date.');
}
