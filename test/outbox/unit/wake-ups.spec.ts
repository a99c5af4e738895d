import { WakeUps } from '../../../lib/outbox/wake-ups.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const wakeUps = new WakeUps(clock);
  /** Waits as a relay does, and tells the milliseconds that each wait took. */
  const waits: number[] = [];
  const wait = async (ms?: number): Promise<void> => {
    const begun = clock.now();
    await wakeUps.wait(ms);
    waits.push(clock.now() - begun);
  };
  return { clock, wakeUps, waits, wait };
}

it('without insertions, a wait takes a second', async () => {
  const { clock, waits, wait } = setUp();
  void wait();
  await clock.advance(999);
  expect(waits).toEqual([]);
  await clock.advance(1);
  expect(waits).toEqual([1_000]);
  expect(clock.armed).toBe(0);
});

it('a shorter time may be given', async () => {
  const { clock, waits, wait } = setUp();
  void wait(250);
  await clock.advance(250);
  expect(waits).toEqual([250]);
});

it('now() ends the present wait, or the next one', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  void wait();
  await clock.advance(10);
  wakeUps.now();
  await clock.advance(0);
  wakeUps.now();
  await wait();
  expect(waits).toEqual([10, 0]);
  void wait();
  await clock.advance(1_000);
  expect(waits).toEqual([10, 0, 1_000]);
  expect(clock.armed).toBe(0);
});

it('after an insertion, looks come soon, then less often, and after five seconds once a second', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  wakeUps.inserted(['a']);
  let isOver = false;
  const looking = (async () => {
    while (!isOver) await wait();
  })();
  await clock.advance(6_500);
  isOver = true;
  await clock.advance(1_000);
  await looking;
  expect(waits.slice(0, 6)).toEqual([4, 8, 16, 32, 50, 50]);
  const slow = waits.indexOf(1_000);
  expect(waits.slice(0, slow).reduce((sum, ms) => sum + ms)).toBe(5_010);
  expect(new Set(waits.slice(slow))).toEqual(new Set([1_000]));
});

it('looks come soon for as long as one of the inserted jobs has not been found', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  wakeUps.inserted(['a', 'b']);
  wakeUps.found('a');
  wakeUps.found('foreign');
  void wait();
  await clock.advance(4);
  wakeUps.found('b');
  void wait();
  await clock.advance(1_000);
  expect(waits).toEqual([4, 1_000]);
});

it('an insertion shortens a wait that has begun', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  void wait();
  await clock.advance(500);
  wakeUps.inserted(['a']);
  await clock.advance(4);
  expect(waits).toEqual([504]);
});

it('further insertions do not put off a look', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  void wait();
  for (let n = 0; n < 4; n++) {
    wakeUps.inserted([`job ${n}`]);
    await clock.advance(1);
  }
  expect(waits).toEqual([4]);
});

it('of many insertions that are never found, only the last ones are remembered', async () => {
  const { clock, wakeUps, waits, wait } = setUp();
  const ids = Array.from({ length: 1_500 }, (_, n) => `job ${n}`);
  wakeUps.inserted(ids);
  for (const taskId of ids.slice(500)) wakeUps.found(taskId);
  void wait();
  await clock.advance(1_000);
  expect(waits).toEqual([1_000]);
});
