import { jest } from '@jest/globals';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import type { BullRun } from '../../lib/engine/bullmq/work/bull-runs.js';
import { BullRuns } from '../../lib/engine/bullmq/work/bull-runs.js';
import { CancelWatch } from '../../lib/engine/bullmq/work/cancel-watch.js';
import { ManualClock } from '../support/manual-clock.js';

afterEach(() => jest.useRealTimers());

function setUp() {
  const runs = new BullRuns(['q'], new ManualClock());
  const cancelTexts = jest.fn(async () => [cancelText('by another process')]);
  const cancelOnServer = jest.fn(async () => ({ kind: 'cancelled' as const, text: null }));
  const ended = jest.fn();
  const report = jest.fn();
  const watch = new CancelWatch({ cancelTexts, cancel: cancelOnServer }, runs, { report }, ended);
  const cancelRun = jest.fn();
  const attempt = { queue: 'q', taskId: 'job' };
  const run = { run: { cancelReason: null, cancel: cancelRun }, attempt } as unknown as BullRun;
  return { runs, cancelTexts, ended, watch, cancelRun, run };
}

it('cancels a running job within 500 ms of its cancellation by another process', async () => {
  jest.useFakeTimers();
  const { runs, cancelTexts, watch, cancelRun, run } = setUp();
  runs.add(run);
  watch.start();
  await jest.advanceTimersByTimeAsync(500);
  watch.stop();
  expect(cancelTexts).toHaveBeenCalledTimes(1);
  expect(cancelTexts).toHaveBeenCalledWith([{ queue: 'q', taskId: 'job' }]);
  expect(cancelRun).toHaveBeenCalledWith('by another process');
});

it('ends a job that was cancelled before its attempt was released', async () => {
  jest.useFakeTimers();
  const { ended, watch, cancelRun, run } = setUp();
  watch.wasReleased(run.attempt);
  watch.start();
  await jest.advanceTimersByTimeAsync(500);
  watch.stop();
  expect(ended).toHaveBeenCalledWith(run.attempt, 'by another process');
  expect(cancelRun).not.toHaveBeenCalled();
});

it('reads nothing while no job runs', async () => {
  jest.useFakeTimers();
  const { cancelTexts, watch } = setUp();
  watch.start();
  await jest.advanceTimersByTimeAsync(2_000);
  watch.stop();
  expect(cancelTexts).not.toHaveBeenCalled();
});
