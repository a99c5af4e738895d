import { NO_SUBMIT_OPTIONS } from '../../lib/job/submit-options.js';
import { SubmitUncertainError } from '../../lib/job/errors.js';
import type { NewJob } from '../../lib/job/job.js';
import { NotSentError } from '../../lib/engine/bullmq/server/call-limiter.js';
import { QueuedJobs } from '../../lib/engine/bullmq/submit/queued-jobs.js';
import { Submissions } from '../../lib/engine/bullmq/submit/submissions.js';
import { ManualClock } from '../support/manual-clock.js';

const JOB: NewJob = { ...NO_SUBMIT_OPTIONS, taskId: 'own', taskName: 'task', queue: 'q', args: [] };

it('a job that was added is not reported as unsent, though the look-up of its id was not sent', async () => {
  const adds = {
    add: async (jobs: readonly unknown[]) => jobs.map(() => 'own'),
    areAdded: async () => {
      throw new NotSentError('the server is silent');
    },
    close: () => undefined,
  };
  const host = { clock: new ManualClock(), retention: { resultTtl: 1_000, maxResults: 10 } };
  const server = { name: 'PostgreSQL', ordered: false, isOutage: () => true, failureOf: () => 'not sent' };
  const outages = { report: () => undefined };
  const parts = { host, server, outages, fleet: null };
  const submissions = new Submissions(parts as never, adds as never, new QueuedJobs(host.retention));
  const error = await submissions.insert([JOB]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SubmitUncertainError);
  expect((error as SubmitUncertainError).taskIds).toEqual(['own']);
});
