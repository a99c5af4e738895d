import { PayloadError } from '../../../lib/job/errors.js';
import { type IdentifiedJob, jobFromText, jobToText, rowOf } from '../../../lib/outbox/outbox-job.js';
import { newJob } from '../../support/jobs.js';

const NOW = 1_700_000_000_000;

/** The job after it has been a row for some milliseconds. */
function aged(values: Parameters<typeof newJob>[0], age: number): IdentifiedJob {
  return jobFromText('j1', jobToText(newJob({ taskId: 'j1', ...values })), age, NOW);
}

it('a job is the same after it was a text', () => {
  const job = newJob({
    taskName: 'Mail.send',
    queue: 'slow',
    priority: 4,
    args: [{ at: new Date(5), bytes: new Map([['a', 1n]]) }, undefined, null],
    overrides: { maxRetries: 3 },
    metadata: { tenant: 7, since: new Date(9) },
    tags: ['a', 'b'],
    bypassMaxPending: true,
  });
  expect(jobFromText('j1', jobToText({ ...job, taskId: 'not this' }), 0, NOW)).toEqual({
    ...job,
    taskId: 'j1',
  });
});

it('the text does not have the id, and nothing that is undefined', () => {
  const text = jobToText(newJob({ taskId: 'j1' }));
  expect(text).not.toContain('j1');
  expect(text).not.toContain('metadata');
});

describe('times count from the submission:', () => {
  it.each([
    { delay: 0, age: 5_000, left: 0 },
    { delay: 60_000, age: 0, left: 60_000 },
    { delay: 60_000, age: 20_000.4, left: 40_000 },
    { delay: 60_000, age: 70_000, left: 0 },
  ])('of a delay of $delay ms, $left are left after $age', ({ delay, age, left }) => {
    expect(aged({ delay }, age).delay).toBe(left);
  });

  it.each([
    { mode: 'ignore', ttl: 0, age: 5_000, left: 0 },
    { mode: 'throttle', ttl: 10_000, age: 4_000, left: 6_000 },
    { mode: 'throttle', ttl: 10_000, age: 20_000, left: 1 },
    { mode: 'debounce', ttl: 10_000, age: 4_000, left: 6_000 },
  ] as const)('a key of mode $mode and $ttl ms is held for $left after $age', ({ mode, ttl, age, left }) => {
    expect(aged({ dedupe: { key: 'task/k', mode, ttl } }, age).dedupe).toEqual({
      key: 'task/k',
      mode,
      ttl: left,
    });
  });

  it('a debounced job waits as long as its key is held', () => {
    const job = aged({ delay: 10_000, dedupe: { key: 'task/k', mode: 'debounce', ttl: 10_000 } }, 4_000);
    expect(job).toMatchObject({ delay: 6_000, dedupe: { ttl: 6_000 } });
  });

  it('from a second on, the age counts for the expiry', () => {
    expect(aged({}, 999).overrides).toBeUndefined();
    expect(aged({}, 1_000).overrides).toEqual({ validFrom: NOW - 1_000 });
    const overrides = { expires: 5_000 } as never;
    expect(aged({ overrides }, 2_000).overrides).toEqual({ expires: 5_000, validFrom: NOW - 2_000 });
  });

  it('a validity that the submission has set itself stays', () => {
    const overrides = { expires: 5_000, validFrom: 77 } as never;
    expect(aged({ overrides }, 2_000).overrides).toEqual({ expires: 5_000, validFrom: 77 });
  });
});

it.each([
  ['no JSON', 'not json'],
  ['no object', '[1]'],
  ['no task', JSON.stringify({ queue: 'q', priority: 0, delay: 0, args: [] })],
  ['no queue', JSON.stringify({ taskName: 't', priority: 0, delay: 0, args: [] })],
  ['no priority', JSON.stringify({ taskName: 't', queue: 'q', delay: 0, args: [] })],
  ['no delay', JSON.stringify({ taskName: 't', queue: 'q', priority: 0, args: [] })],
  ['no arguments', JSON.stringify({ taskName: 't', queue: 'q', priority: 0, delay: 0 })],
  [
    'a bad key',
    JSON.stringify({ taskName: 't', queue: 'q', priority: 0, delay: 0, args: [], dedupe: { key: 'k' } }),
  ],
])('a text with %s is rejected', (_problem, text) => {
  expect(() => jobFromText('j1', text, 0, NOW)).toThrow(PayloadError);
});

it('a row looks like a job that waits, or was cancelled', () => {
  const job = aged({ taskName: 'Mail.send', delay: 500, args: [1], tags: ['a'] }, 0);
  expect(rowOf(job, { createdAt: NOW, cancelReason: null })).toMatchObject({
    taskId: 'j1',
    taskName: 'Mail.send',
    status: 'pending',
    submittedAt: NOW,
    dueAt: NOW + 500,
    finishedAt: null,
    reason: null,
    args: [1],
    tags: ['a'],
  });
  expect(rowOf(job, { createdAt: NOW, cancelReason: 'enough' })).toMatchObject({
    status: 'cancelled',
    dueAt: null,
    finishedAt: NOW,
    reason: 'enough',
  });
});
