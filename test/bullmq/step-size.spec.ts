import { StepSize } from '../../lib/engine/bullmq/server/step-size.js';

/** The size after steps in which each job took this many milliseconds. */
function after(steps: number, msPerJob: number, size = new StepSize(200)): StepSize {
  for (let n = 0; n < steps; n++) size.took(size.next, size.next * msPerJob);
  return size;
}

it('grows to the most jobs if steps are fast, and by half at a time', () => {
  const size = new StepSize(200);
  const first = size.next;
  size.took(first, 1);
  expect(size.next).toBe(first * 1.5);
  expect(after(10, 0.01, size).next).toBe(200);
});

it('takes as many jobs as 25 ms allow', () => {
  expect(after(10, 0.25).next).toBe(100);
  expect(after(10, 0.5).next).toBe(50);
});

it('takes 40 jobs at least, and becomes half as large after one slow step', () => {
  const size = after(10, 0.01);
  size.took(200, 5_000);
  expect(size.next).toBe(100);
  expect(after(10, 100, size).next).toBe(40);
});

it('keeps its size after a short step that read fewer jobs, such as the last one', () => {
  const size = after(10, 0.25);
  size.took(3, 2);
  expect(size.next).toBe(100);
});
