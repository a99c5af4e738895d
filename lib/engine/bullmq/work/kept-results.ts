import type { JobsOptions } from 'bullmq';
import type { Kept } from '../job-mapping.js';

/** How many more results may be kept than asked for, as a part of these. */
const SLACK = 1 / 100;

const RULES = ['removeOnComplete', 'removeOnFail'] as const;

/** A rule that a server takes for none could never be followed, so the job could never end. */
export function replaceOddRules(options: JobsOptions, usual: Kept): void {
  for (const rule of RULES) if (!isRule(options[rule])) options[rule] = usual;
}

function isRule(rule: unknown): boolean {
  if (typeof rule !== 'object') return rule === undefined || typeof rule === 'boolean' || isCount(rule);
  const { age = 0, count = 0, limit = 0 } = (rule ?? { age: null }) as Readonly<Record<string, unknown>>;
  return isCount(age) && isCount(count) && isCount(limit);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

/**
 * To keep so many results, PostgreSQL sorts all of them at the end of each job: with some
 * thousands, that costs more than everything else. So it is asked for at random, just often enough;
 * what the options of a job say afterwards is not stored. And what keeps none there drops those of
 * all other jobs as well: a job that another program has added with such a rule gets the usual one.
 */
export function countResultsRarely(options: JobsOptions, usual: Kept): void {
  for (const rule of RULES) {
    const given = options[rule];
    const none = given === true || given === 0 || (typeof given === 'object' && given.count === 0);
    const keep = none ? usual : given;
    options[rule] = keep;
    if (typeof keep !== 'object' || !('age' in keep) || keep.count === undefined) continue;
    if (Math.random() * keep.count * SLACK >= 1) options[rule] = { age: keep.age };
  }
}
