import { jest } from '@jest/globals';
import type { BullRun } from '../../lib/engine/bullmq/work/bull-run.js';
import { CancelWatch, type CancelWatchParts } from '../../lib/engine/bullmq/work/cancel-watch.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';

afterEach(() => jest.useRealTimers());

it('a running job is told within half a second that another process has cancelled it', async () => {
  jest.useFakeTimers();
  const attempt = { queue: 'q', taskId: 'job' };
  const run = { run: { cancelReason: null }, attempt } as BullRun;
  const requested = jest.fn(() => Promise.resolve([cancelText('from afar')]));
  const cancelled = jest.fn();
  const parts = { jobs: { requested }, running: () => [run], cancelled, round: () => undefined };
  const watch = new CancelWatch(parts as unknown as CancelWatchParts);
  watch.start();
  await jest.advanceTimersByTimeAsync(500);
  watch.stop();
  expect(requested).toHaveBeenCalledTimes(1);
  expect(requested).toHaveBeenCalledWith([{ queue: 'q', taskId: 'job' }]);
  expect(cancelled).toHaveBeenCalledWith(run, 'from afar');
});
