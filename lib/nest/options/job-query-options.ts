import { wrong } from '../../job/check.js';
import { checkQueueName, checkTaskId, checkTaskName } from '../../job/names.js';
import type { JobQuery } from '../../job/query.js';
import { checkTag, parentTag } from '../../job/tags.js';
import {
  date,
  flag,
  oneOf,
  optional,
  OptionTable,
  type Rule,
  type RulesOf,
  wholeNumber,
} from '../../job/rules.js';
import type { TaskStatus } from '../../job/job.js';
import type { BulkQuery } from '../../run/job-operations.js';

/** Selects jobs. Options that are left out do not limit the selection. */
export interface JobFilter {
  /**
   * The name of the task.
   *
   * @defaultValue any task
   */
  task?: string;
  /**
   * The queue in which the job waits, or has waited.
   *
   * @defaultValue any queue
   */
  queue?: string;
  /**
   * The earliest time of submission, inclusive.
   *
   * @defaultValue no limit
   */
  from?: Date;
  /**
   * The latest time of submission, exclusive.
   *
   * @defaultValue no limit
   */
  to?: Date;
  /**
   * A tag of the job. The engine reads only jobs with this tag.
   *
   * @defaultValue any tags
   */
  tag?: string;
  /**
   * The id of the job whose method has called the jobs by `ctx.call`. Not together with `tag`.
   *
   * @defaultValue any job, or none
   */
  parent?: string;
  /**
   * One status or several.
   *
   * @defaultValue any status
   */
  status?: TaskStatus | readonly TaskStatus[];
  /**
   * The latest time at which the job ended, exclusive. Jobs that have not ended are left out.
   *
   * @defaultValue no limit
   */
  finishedBefore?: Date;
}

/**
 * The jobs of `jobs.retryAll()`, `jobs.cancelAll()` and `jobs.removeAll()`. An option that is given as `undefined` is
 * rejected, so that a missing value does not select all jobs.
 */
export interface JobBulkFilter extends JobFilter {
  /**
   * Only count the jobs, and change none.
   *
   * @defaultValue `false`
   */
  dryRun?: boolean;
}

/** Options of `jobs.find()`. */
export interface JobFindOptions extends JobFilter {
  /**
   * The `cursor` of the previous page. `null` for the first page.
   *
   * @defaultValue `null`
   */
  cursor?: string | null;
  /**
   * The largest number of jobs in the page: 1 to 1,000.
   *
   * @defaultValue `50`
   */
  limit?: number;
}

/** Milliseconds since the epoch. */
const time: Rule<number | undefined> = (value, path) => date(value, path)?.getTime();

const oneStatus = oneOf(['pending', 'running', 'retrying', 'suspended', 'success', 'failed', 'cancelled']);

const filterRules = {
  task: optional(checkTaskName),
  queue: optional(checkQueueName),
  from: time,
  to: time,
  tag: optional(checkTag),
  parent: optional(checkTaskId),
  status: optional((value, path): readonly TaskStatus[] => {
    const given: unknown[] = Array.isArray(value) ? value : [value];
    // Unlike `map`, `Array.from` does not skip holes.
    return [...new Set(Array.from(given, (each) => oneStatus(each ?? null, path) as TaskStatus))];
  }),
  finishedBefore: time,
} satisfies RulesOf<JobFilter>;

const BULK_RULES = new OptionTable({ ...filterRules, dryRun: flag(false) } satisfies RulesOf<JobBulkFilter>);

const FIND_RULES = new OptionTable({
  ...filterRules,
  cursor(value: unknown = null, path): string | null {
    if (value === null || typeof value === 'string') return value;
    throw wrong(path, value, 'Give the cursor of the previous page, or null.');
  },
  limit: wholeNumber({ min: 1, max: 1_000, default: 50 }),
} satisfies RulesOf<JobFindOptions>);

/**
 * @param name The operation, for errors.
 * @param possible The statuses to which the operation applies; without `status` in the filter, all of them.
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export function resolveJobBulk(
  filter: JobBulkFilter,
  name: string,
  possible: readonly TaskStatus[],
): BulkQuery {
  const { status = possible, ...conditions } = byTag(BULK_RULES.resolve(filter, name, ''));
  // A variable without a value would otherwise select all jobs.
  for (const [option, value] of Object.entries(filter))
    if (value === undefined)
      throw wrong(option, value, `${name} would apply to jobs with any ${option}. Leave it out for that.`);
  for (const each of status)
    if (!possible.includes(each))
      throw wrong(
        'status',
        each,
        `${name} applies to jobs with the status ${possible.join(', ')} only. Leave it out for all of these.`,
      );
  return { ...conditions, status };
}

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveJobQuery(options: JobFindOptions): JobQuery {
  return byTag(FIND_RULES.resolve(options, 'find()', ''));
}

/** Child jobs are found by a tag. */
function byTag<F extends { readonly tag: string | undefined; readonly parent: string | undefined }>({
  parent,
  ...filter
}: F): Omit<F, 'parent'> {
  if (parent === undefined) return filter;
  if (filter.tag === undefined) return { ...filter, tag: parentTag(parent) };
  throw wrong('parent', parent, 'tag is given as well. Keep one of them.');
}
