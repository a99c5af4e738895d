import { Idle } from '../../../lib/engine/idle.js';
import type { Outcome } from '../../../lib/job/outcome.js';
import { Run } from '../../../lib/run/run.js';
import { Runs } from '../../../lib/run/runs.js';
import type { TaskCall } from '../../../lib/run/task-definition.js';
import { Gate } from '../../support/gate.js';
import { settle } from '../../support/manual-clock.js';
import { attemptOf, partsOf } from '../../support/run-parts.js';

function running(code: (call: TaskCall) => unknown) {
  const parts = partsOf(code);
  const runs = new Runs();
  const outcomes: Outcome[] = [];
  const idle = new Idle(parts.clock, () => runs.size === 0);
  const run = new Run(attemptOf(), parts);
  runs.add(run);
  run.start((outcome) => {
    outcomes.push(outcome);
    runs.delete(run);
    idle.check();
  });
  return { parts, runs, run, idle, outcomes };
}

const untilAborted = ({ signal }: TaskCall): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
const never = (): Promise<never> => new Promise(() => undefined);

it('finds the run of an attempt, while it has no outcome', () => {
  const { runs, run } = running(never);
  expect(runs.of(run.attempt)).toBe(run);
  expect(runs.of(attemptOf())).toBeUndefined();
  run.abandon();
  expect(runs.of(run.attempt)).toBeUndefined();
});

it('keeps all other runs when one is deleted, in any order', () => {
  const runs = new Runs();
  const all = [0, 1, 2, 3].map(() => new Run(attemptOf(), partsOf(never)));
  for (const run of all) runs.add(run);
  const [first, second, third, last] = all as [Run, Run, Run, Run];
  runs.delete(second);
  runs.delete(second);
  expect(new Set(runs)).toEqual(new Set([first, third, last]));
  runs.delete(last);
  runs.delete(first);
  expect([...runs]).toEqual([third]);
  expect([runs.has(third), runs.has(first), runs.has(last)]).toEqual([true, false, false]);
});

it('drain() waits for runs that end within the grace', async () => {
  const gate = new Gate<number>();
  const { parts, runs, idle, outcomes } = running(() => gate.passed);
  parts.clock.after(900, () => gate.open(1));
  const drained = runs.drain(1_000, 5_000, idle);
  await parts.clock.advance(900);
  expect(await drained).toBe(0);
  expect(outcomes).toEqual([{ kind: 'success', result: 1 }]);
  expect(parts.clock.armed).toBe(0);
});

it('drain() aborts runs after the grace, and their jobs are released', async () => {
  const { parts, runs, run, idle, outcomes } = running(untilAborted);
  const drained = runs.drain(1_000, 5_000, idle);
  await parts.clock.advance(999);
  expect(run.aborted).toBe(false);
  await parts.clock.advance(1);
  expect(await drained).toBe(0);
  expect(run.reason).toMatchObject({ code: 'FLOWRRA_STOPPING' });
  expect(outcomes).toEqual([{ kind: 'released', delay: 0 }]);
});

it('drain() abandons runs that do not end, and says how many', async () => {
  const { parts, runs, run, idle, outcomes } = running(never);
  let abandoned = -1;
  void runs.drain(1_000, 5_000, idle).then((count) => (abandoned = count));
  await parts.clock.advance(5_999);
  expect(abandoned).toBe(-1);
  await parts.clock.advance(1);
  expect(abandoned).toBe(1);
  expect(run.aborted).toBe(true);
  expect(outcomes).toEqual([{ kind: 'released', delay: 0 }]);
});

it('drain(0, 0) waits for nothing', async () => {
  const { runs, idle } = running(never);
  expect(await runs.drain(0, 0, idle)).toBe(1);
  expect(runs.size).toBe(0);
});

it('a cancelled run that is abandoned ends as cancelled', async () => {
  const { runs, run, idle, outcomes } = running(never);
  run.cancel('enough');
  await runs.drain(0, 0, idle);
  await settle();
  expect(outcomes).toEqual([{ kind: 'cancelled', reason: 'enough' }]);
});
