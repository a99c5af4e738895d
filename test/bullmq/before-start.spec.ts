import { cancellationOf, isLost } from '../../lib/engine/bullmq/work/before-start.js';
import type { AnyJob } from '../../lib/engine/bullmq/server/bull-server.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import type { ServerJobs } from '../../lib/engine/bullmq/server/server-jobs.js';

const PLACE = { queue: 'q', taskId: 'job' };

function setUp(maxRescues: number) {
  const trouble: Error[] = [];
  let starts = 0;
  const jobs = { countStart: async () => starts++, requested: async () => [null as string | null] };
  const parts = {
    jobs: jobs as unknown as ServerJobs,
    options: { maxRescues },
    trouble: (error: Error) => trouble.push(error),
  };
  /** A worker takes the job, after so many have died with it. */
  const take = (deaths: number): Promise<boolean> =>
    isLost({ stalledCounter: deaths, token: 'token' } as AnyJob, PLACE, parts);
  return { take, jobs, parts, trouble };
}

it('a job that each of its workers has started is lost after maxRescues of them were replaced', async () => {
  const { take } = setUp(3);
  expect([await take(1), await take(2), await take(3), await take(4)]).toEqual([false, false, false, true]);
});

it('workers that died before they started the job do not count', async () => {
  const { take } = setUp(3);
  expect([await take(1), await take(5), await take(9), await take(10)]).toEqual([false, false, false, true]);
});

it('with 0, a job that a worker had taken is not started again', async () => {
  expect(await setUp(0).take(1)).toBe(true);
});

it('a server that cannot be asked holds up no start', async () => {
  const { take, jobs, parts, trouble } = setUp(1);
  const down = (): Promise<never> => Promise.reject(new Error('down'));
  Object.assign(jobs, { countStart: down, requested: down });
  expect(await take(9)).toBe(false);
  expect(await cancellationOf(PLACE, parts)).toBeNull();
  expect(trouble).toHaveLength(2);
});

it('tells why a job has been cancelled meanwhile', async () => {
  const { jobs, parts } = setUp(1);
  expect(await cancellationOf(PLACE, parts)).toBeNull();
  jobs.requested = async () => [cancelText('no longer wanted')];
  expect(await cancellationOf(PLACE, parts)).toBe('no longer wanted');
});
