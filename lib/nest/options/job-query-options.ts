import { wrong } from '../../job/check.js';
import { checkQueueName, checkTaskName } from '../../job/names.js';
import type { JobQuery, JobSelection } from '../../job/query.js';
import { checkTag } from '../../job/tags.js';
import { date, oneOf, optional, OptionTable, type Rule, type RulesOf, wholeNumber } from '../../job/rules.js';
import type { TaskStatus } from '../../job/job.js';

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
}

/** Options of `jobs.find()`. */
export interface JobFindOptions extends JobFilter {
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

const filterRules = {
  task: optional(checkTaskName),
  queue: optional(checkQueueName),
  from: time,
  to: time,
  tag: optional(checkTag),
} satisfies RulesOf<JobFilter>;

const oneStatus = oneOf(['pending', 'running', 'retrying', 'success', 'failed', 'cancelled']);

const FILTER_RULES = new OptionTable(filterRules);

const FIND_RULES = new OptionTable({
  ...filterRules,
  status: optional((value, path): readonly TaskStatus[] => {
    const given: unknown[] = Array.isArray(value) ? value : [value];
    return given.map((each) => oneStatus(each ?? null, path) as TaskStatus);
  }),
  finishedBefore: time,
  cursor(value: unknown = null, path): string | null {
    if (value === null || typeof value === 'string') return value;
    throw wrong(path, value, 'Give the cursor of the previous page, or null.');
  },
  limit: wholeNumber({ min: 1, max: 1_000, default: 50 }),
} satisfies RulesOf<JobFindOptions>);

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveJobFilter(filter: JobFilter): JobSelection {
  return FILTER_RULES.resolve(filter, 'filter', '');
}

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveJobQuery(options: JobFindOptions): JobQuery {
  return FIND_RULES.resolve(options, 'find()', '');
}
