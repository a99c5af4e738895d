import { RateWindow } from '../../lib/job/queue.js';

it('allows max starts in a window that begins with the first start', () => {
  const window = new RateWindow({ max: 3, per: 100 });
  expect(window.left(1_000)).toBe(3);
  window.take(1, 1_000);
  window.take(1, 1_090);
  expect([window.left(1_090), window.endsAt]).toEqual([1, 1_100]);
  window.take(1, 1_099);
  expect(window.left(1_099)).toBe(0);
  expect(window.left(1_100)).toBe(3);
  window.take(2, 1_250);
  expect([window.left(1_300), window.endsAt]).toEqual([1, 1_350]);
});

it('a window does not become longer if the clock is set back', () => {
  const window = new RateWindow({ max: 1, per: 100 });
  window.take(1, 5_000);
  expect(window.left(1_000)).toBe(1);
  window.take(1, 1_000);
  expect([window.left(1_050), window.left(1_100)]).toEqual([0, 1]);
});

it('a claim of 0 jobs begins no window', () => {
  const window = new RateWindow({ max: 1, per: 100 });
  window.take(0, 1_000);
  window.take(1, 1_090);
  expect(window.left(1_150)).toBe(0);
});
