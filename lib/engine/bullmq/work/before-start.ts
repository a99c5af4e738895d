import type { AnyJob } from '../server/bull-server.js';
import type { ResolvedBullMqOptions } from '../bullmq-options.js';
import { Patience } from '../server/io-time.js';
import { reasonIn } from '../job-mapping.js';
import type { JobPlace, ServerJobs } from '../server/server-jobs.js';

/** The longest that a start waits for an answer of the server. */
const ASKING_MS = 1_000;

export interface BeforeStartParts {
  readonly jobs: ServerJobs;
  readonly options: Pick<ResolvedBullMqOptions, 'maxRescues'>;
  trouble(error: Error): void;
}

/** Why a job has been cancelled while it was on its way to its worker, or waited there; `null` if it has not. */
export async function cancellationOf(place: JobPlace, parts: BeforeStartParts): Promise<string | null> {
  const [text] = await answerOf(() => parts.jobs.requested([place]), [], parts);
  return reasonIn(text);
}

/**
 * Whether workers have died with a job too often for it to be started once more. BullMQ counts how often
 * they had taken it; so starts are counted here, before they come. The first is not, since few jobs ever
 * have a second: that a worker had taken the job counts as that.
 */
export async function isLost(job: AnyJob, place: JobPlace, parts: BeforeStartParts): Promise<boolean> {
  const { maxRescues } = parts.options;
  const counted = await answerOf(() => parts.jobs.countStart(place, job.token ?? ''), 0, parts);
  return job.stalledCounter > maxRescues && counted >= maxRescues;
}

/** A counter of attempts that is no number could not be counted up when the job fails. */
export async function repairCounter(job: AnyJob, place: JobPlace, parts: BeforeStartParts): Promise<void> {
  job.attemptsMade = 0;
  await answerOf(() => parts.jobs.repairOne(place), undefined, parts);
}

/** A server that does not answer holds up no start. */
async function answerOf<T>(ask: () => Promise<T>, otherwise: T, { trouble }: BeforeStartParts): Promise<T> {
  try {
    return await new Patience(ASKING_MS).with(ask());
  } catch (error) {
    trouble(error as Error);
    return otherwise;
  }
}
