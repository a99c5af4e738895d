import type { JobsOptions } from 'bullmq';
import type { ResolvedBullMqOptions } from '../bullmq-options.js';
import { cancelReasonIn, type KeepRule } from '../job-mapping.js';
import type { AnyJob, JobPlace, ServerJobs } from '../server/bull-server.js';
import type { Resumed } from '../server/job-journals.js';
import type { OutageLog } from '../server/outage-log.js';
import { SharedTimeout } from '../server/shared-timeout.js';

/** The longest that a start waits for an answer of the server. */
const ANSWER_MS = 1_000;

/** The part of a maximum number of results by which their number may exceed it. */
const SLACK = 1 / 100;

const RULES = ['removeOnComplete', 'removeOnFail'] as const;

/** If the server does not answer: a run that reads an empty journal is harmless. */
const PERHAPS_RESUMED: Resumed = { isResumed: true, cancelText: null };

/** Checks jobs between their claim and their start. A server that does not answer delays no start. */
export class StartChecks {
  private readonly timeout = new SharedTimeout(ANSWER_MS);

  constructor(
    private readonly jobs: ServerJobs,
    private readonly outages: Pick<OutageLog, 'report'>,
    private readonly options: Pick<ResolvedBullMqOptions, 'maxRescues'>,
  ) {}

  /** Why a job was cancelled after its claim; `null` if it was not. */
  async cancellationOf(place: JobPlace): Promise<string | null> {
    const [text] = await this.ask(() => this.jobs.cancelTexts([place]), []);
    return cancelReasonIn(text);
  }

  /** Whether an attempt of a job that has been started before goes on, and whether its job was cancelled. */
  resumption(place: JobPlace): Promise<Resumed> {
    return this.ask(() => this.jobs.journals.resume(place), PERHAPS_RESUMED);
  }

  /**
   * Whether more workers have died with a job than `maxRescues` allows. BullMQ counts claims; a worker may
   * have died before it started the job, so starts are counted here, from the second one on: few jobs have
   * a second start. The first claim counts as the first start.
   */
  async isLost(job: AnyJob, place: JobPlace): Promise<boolean> {
    const { maxRescues } = this.options;
    const counted = await this.ask(() => this.jobs.countStart(place, job.token ?? ''), 0);
    return job.stalledCounter > maxRescues && counted >= maxRescues;
  }

  /** Repairs a counter of attempts that is no number: the server could not count a failure. */
  async repairCounter(job: AnyJob, place: JobPlace): Promise<void> {
    job.attemptsMade = 0;
    await this.ask(() => this.jobs.repairOne(place), undefined);
  }

  private async ask<T>(call: () => Promise<T>, instead: T): Promise<T> {
    try {
      return await this.timeout.limit(call());
    } catch (error) {
      this.outages.report(error);
      return instead;
    }
  }
}

/** Replaces rules for keeping results that are invalid: the server would reject the end of the job. */
export function replaceInvalidRules(options: JobsOptions, usual: KeepRule): void {
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
 * Leaves the maximum number of results out of most jobs' options, at random. To apply it, PostgreSQL sorts
 * all results at the end of each job, which costs more than all else once there are thousands. BullMQ
 * does not store the changed options. A rule that keeps no results would delete those of all other jobs
 * on PostgreSQL: a job that another program has added with such a rule gets the usual one.
 */
export function countResultsRarely(options: JobsOptions, usual: KeepRule): void {
  for (const rule of RULES) {
    const given = options[rule];
    const keepsNone = given === true || given === 0 || (typeof given === 'object' && given.count === 0);
    const keep = keepsNone ? usual : given;
    options[rule] = keep;
    if (typeof keep !== 'object' || !('age' in keep) || keep.count === undefined) continue;
    if (Math.random() * keep.count * SLACK >= 1) options[rule] = { age: keep.age };
  }
}
