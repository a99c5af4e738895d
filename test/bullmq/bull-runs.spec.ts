import { jest } from '@jest/globals';
import { BullRuns, type BullRun } from '../../lib/engine/bullmq/work/bull-runs.js';
import { ManualClock } from '../support/manual-clock.js';

function setUp() {
  const runs = new BullRuns(['q', 'other'], new ManualClock());
  const fakeRun = (queue: string, taskId: string) => {
    const cancel = jest.fn();
    const run = { run: { cancel }, attempt: { queue, taskId }, isStoring: false } as unknown as BullRun;
    return { run, cancel };
  };
  return { runs, fakeRun };
}

it('remembers the cancellation of a job that does not run here for the present round and the next one', () => {
  const { runs } = setUp();
  const known = (): string[] => ['a', 'b'].filter((id) => runs.mayBeCancelled(id));
  runs.cancel('a', 'no longer wanted');
  expect(known()).toEqual(['a']);
  runs.nextRound();
  runs.cancel('b', 'no longer wanted');
  expect(known()).toEqual(['a', 'b']);
  runs.nextRound();
  expect(known()).toEqual(['b']);
  runs.nextRound();
  expect(known()).toEqual([]);
});

it('cancels the runs of a job in every queue', () => {
  const { runs, fakeRun } = setUp();
  const [first, second] = [fakeRun('q', 'a'), fakeRun('other', 'a')];
  runs.add(first.run);
  runs.add(second.run);
  runs.cancel('a', 'no longer wanted');
  expect(first.cancel).toHaveBeenCalledWith('no longer wanted');
  expect(second.cancel).toHaveBeenCalledWith('no longer wanted');
  expect(runs.mayBeCancelled('a')).toBe(false);
});

it('is idle when the outcome of each run is stored', async () => {
  const { runs, fakeRun } = setUp();
  const { run } = fakeRun('q', 'a');
  runs.add(run);
  const idle = runs.idle.until(1_000);
  runs.ended(run);
  expect([runs.live.size, runs.size, runs.idle.isIdle]).toEqual([0, 1, false]);
  runs.delete(run);
  await idle;
  expect(runs.idle.isIdle).toBe(true);
});

it('finds the run of an attempt, and not that of an earlier attempt of the same job', () => {
  const { runs, fakeRun } = setUp();
  const [earlier, present] = [fakeRun('q', 'a').run, fakeRun('q', 'a').run];
  runs.add(present);
  expect(runs.of(present.attempt)).toBe(present);
  expect(runs.of(earlier.attempt)).toBeUndefined();
});
