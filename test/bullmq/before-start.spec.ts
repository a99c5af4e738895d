import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import type { AnyJob, ServerJobs } from '../../lib/engine/bullmq/server/bull-server.js';
import { StartChecks } from '../../lib/engine/bullmq/work/before-start.js';

const PLACE = { queue: 'q', taskId: 'job' };

function setUp(maxRescues: number) {
  const reported: unknown[] = [];
  let starts = 0;
  const jobs = { countStart: async () => starts++, cancelTexts: async () => [null as string | null] };
  const report = (error: unknown): void => void reported.push(error);
  const checks = new StartChecks(jobs as unknown as ServerJobs, { report }, { maxRescues });
  /** A worker claims the job after that number of workers have died with it. */
  const claim = (deaths: number): Promise<boolean> =>
    checks.isLost({ stalledCounter: deaths, token: 'token' } as AnyJob, PLACE);
  return { claim, jobs, checks, reported };
}

it('a job that each of its workers has started is lost after maxRescues of them were replaced', async () => {
  const { claim } = setUp(3);
  expect([await claim(1), await claim(2), await claim(3), await claim(4)]).toEqual([
    false,
    false,
    false,
    true,
  ]);
});

it('workers that died before they started the job do not count', async () => {
  const { claim } = setUp(3);
  expect([await claim(1), await claim(5), await claim(9), await claim(10)]).toEqual([
    false,
    false,
    false,
    true,
  ]);
});

it('with maxRescues 0, a job that a worker has claimed is not started again', async () => {
  expect(await setUp(0).claim(1)).toBe(true);
});

it('a server that does not answer delays no start', async () => {
  const { claim, jobs, checks, reported } = setUp(1);
  const down = (): Promise<never> => Promise.reject(new Error('down'));
  Object.assign(jobs, { countStart: down, cancelTexts: down });
  expect(await claim(9)).toBe(false);
  expect(await checks.cancellationOf(PLACE)).toBeNull();
  expect(reported).toHaveLength(2);
});

it('reads why a job was cancelled after its claim', async () => {
  const { jobs, checks } = setUp(1);
  expect(await checks.cancellationOf(PLACE)).toBeNull();
  jobs.cancelTexts = async () => [cancelText('no longer wanted')];
  expect(await checks.cancellationOf(PLACE)).toBe('no longer wanted');
});
