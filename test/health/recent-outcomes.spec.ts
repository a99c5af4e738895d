import { RecentOutcomes } from '../../lib/health/recent-outcomes.js';

const HOUR = 3_600_000;

it('counts outcomes within the window, and drops outcomes that are older than the longest window', () => {
  const outcomes = new RecentOutcomes();
  for (let at = 0; at <= 3 * HOUR; at += 500) outcomes.add(at, at % 2_000 === 0);
  expect(outcomes.within(10_000, 3 * HOUR)).toEqual({ finished: 21, failed: 6 });
  expect(outcomes.within(HOUR, 3 * HOUR)).toEqual({ finished: 7_201, failed: 1_801 });
  expect(outcomes.within(3 * HOUR, 3 * HOUR).finished).toBeLessThan(7_210);
  expect(outcomes.within(1_000, 4 * HOUR)).toEqual({ finished: 0, failed: 0 });
});
