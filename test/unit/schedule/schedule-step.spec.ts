import { dueAt, dueOf, nextOccurrence, occurrenceId } from '../../../lib/job/schedule/schedule.js';
import { nextStep } from '../../../lib/job/schedule/schedule-step.js';
import type { ScheduleRuleOptions } from '../../../lib/job/schedule/schedule-options.js';
import { occurrencesAfter } from '../../../lib/job/schedule/schedule-view.js';
import { DAY, HOUR, MINUTE, scheduleOf, SECOND } from './schedules.js';

const START = Date.UTC(2026, 0, 1);
const hourly = { every: HOUR } as const;
const step = (options: ScheduleRuleOptions, late: number, name = 'x') => {
  const schedule = scheduleOf(name, options, START);
  return nextStep(schedule, (schedule.nextRun as number) + late);
};

it('there is no step before the time, and none without a next occurrence', () => {
  expect(step(hourly, -1)).toBeNull();
  expect(nextStep({ ...scheduleOf('x', hourly, START), nextRun: null }, START + DAY)).toBeNull();
});

it.each(['skip', 'once', 'all'] as const)('missed: %s runs an occurrence up to a minute late', (missed) => {
  for (const late of [0, 1, MINUTE])
    expect(step({ ...hourly, missed }, late)).toEqual({
      kind: 'run',
      occurrence: { at: START + HOUR, missed: 0 },
      nextRun: START + 2 * HOUR,
    });
});

it('a schedule of seconds runs each occurrence of the last minute, one by one', () => {
  expect(step({ every: SECOND }, 30 * SECOND)).toMatchObject({ kind: 'run', nextRun: START + 2 * SECOND });
});

it('a minute and 1 ms late, one occurrence is missed', () => {
  const late = MINUTE + 1;
  const at = START + HOUR;
  const nextRun = at + HOUR;
  expect(step(hourly, late)).toEqual({ kind: 'skip', missed: { at, missed: 1 }, nextRun });
  expect(step({ ...hourly, missed: 'once' }, late)).toEqual({
    kind: 'run',
    occurrence: { at, missed: 1 },
    nextRun,
  });
  expect(step({ ...hourly, missed: 'all' }, late)).toEqual({
    kind: 'makeUp',
    occurrences: [{ at, missed: 1 }],
    nextRun,
  });
});

it.each(['skip', 'once', 'all'] as const)(
  'missed: %s leaves an occurrence of the last minute to the next step',
  (missed) => {
    // Ten are missed, and the eleventh is 30 s late.
    const next = step({ ...hourly, missed }, 10 * HOUR + 30 * SECOND);
    expect(next?.nextRun).toBe(START + 11 * HOUR);
    if (next?.kind === 'skip') expect(next.missed).toEqual({ at: START + 10 * HOUR, missed: 10 });
    if (next?.kind === 'run') expect(next.occurrence).toEqual({ at: START + 10 * HOUR, missed: 10 });
    if (next?.kind === 'makeUp')
      expect(next.occurrences.map(({ at }) => at)).toEqual(
        Array.from({ length: 10 }, (_, n) => START + (n + 1) * HOUR),
      );
    expect.assertions(2);
  },
);

describe.each<[string, ScheduleRuleOptions]>([
  ['an interval', { every: MINUTE }],
  ['a cron expression', { cron: '* * * * *', timezone: 'Europe/Berlin' }],
])('%s', (_, options) => {
  it.each([999, 1_000, 1_001, 5_000])(
    'of %d missed occurrences, 1,000 are counted and the last 100 are made up for',
    (count) => {
      const late = (count - 1) * MINUTE + MINUTE + 1;
      const last = START + count * MINUTE;
      const nextRun = last + MINUTE;
      const missed = Math.min(count, 1_000);
      expect(step({ ...options, missed: 'skip' }, late)).toEqual({
        kind: 'skip',
        missed: { at: last, missed },
        nextRun,
      });
      expect(step({ ...options, missed: 'once' }, late)).toEqual({
        kind: 'run',
        occurrence: { at: last, missed },
        nextRun,
      });
      const all = step({ ...options, missed: 'all' }, late);
      expect(all).toEqual({
        kind: 'makeUp',
        occurrences: Array.from({ length: 100 }, (_each, n) => ({ at: last - (99 - n) * MINUTE, missed: 1 })),
        nextRun,
      });
    },
  );

  it('the end of a schedule ends its missed occurrences', () => {
    const end = new Date(START + 5 * MINUTE);
    expect(step({ ...options, end, missed: 'once' }, DAY)).toEqual({
      kind: 'run',
      occurrence: { at: START + 4 * MINUTE, missed: 4 },
      nextRun: null,
    });
  });

  it('all times from now on are followed, step by step, whatever the lateness', () => {
    for (const late of [0, 20 * SECOND, 90 * SECOND, 10 * MINUTE]) {
      let schedule = scheduleOf('x', { ...options, missed: 'all' }, START);
      const times: number[] = [];
      for (let now = START + late; times.length < 30; now += MINUTE)
        for (let next = nextStep(schedule, now); next !== null; next = nextStep(schedule, now)) {
          if (next.kind === 'run') times.push(next.occurrence.at);
          if (next.kind === 'makeUp') times.push(...next.occurrences.map(({ at }) => at));
          schedule = { ...schedule, nextRun: next.nextRun };
        }
      expect(times).toEqual(times.map((_each, n) => START + (n + 1) * MINUTE));
    }
  });
});

it('no occurrence is before the start, at the end, or later', () => {
  const [start, end] = [new Date(START + 90 * MINUTE), new Date(START + 4 * HOUR)];
  const { rule } = scheduleOf('x', { cron: '0 * * * *', start, end }, START);
  expect(occurrencesAfter(rule, START, 9)).toEqual([2, 3].map((n) => new Date(START + n * HOUR)));
  const counted = scheduleOf('x', { every: HOUR, start, end }, START).rule;
  expect(occurrencesAfter(counted, START, 9)).toEqual([1.5, 2.5, 3.5].map((n) => new Date(START + n * HOUR)));
  expect(nextOccurrence(counted, START + 4 * HOUR)).toBeNull();
});

describe('jitter', () => {
  const schedule = scheduleOf('x', { every: HOUR, jitter: MINUTE }, START);

  it('is within its bound, spread, and the same in every process', () => {
    const delays = Array.from(
      { length: 2_000 },
      (_, n) => dueAt(schedule, START + n * HOUR) - START - n * HOUR,
    );
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(MINUTE);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(0.9 * MINUTE);
    expect(new Set(delays).size).toBeGreaterThan(1_500);
    // A change would give occurrences other times after a deployment.
    expect(dueAt(schedule, START)).toBe(START + 30733);
    expect(dueAt({ ...schedule, name: 'y' }, START)).not.toBe(START + 30733);
  });

  it('delays an occurrence and makes none a missed one', () => {
    const at = schedule.nextRun as number;
    const due = dueAt(schedule, at);
    expect(nextStep(schedule, due - 1)).toBeNull();
    for (const now of [due, at + 2 * MINUTE]) expect(nextStep(schedule, now)).toMatchObject({ kind: 'run' });
    expect(nextStep(schedule, at + 2 * MINUTE + 1)).toMatchObject({ kind: 'skip' });
  });

  it('may be longer than the time between two occurrences: none is lost', () => {
    let often = scheduleOf('x', { every: SECOND, jitter: 10 * SECOND, overlap: 'allow' }, START);
    const times: number[] = [];
    for (let now = START; now < START + MINUTE; now += 100)
      for (let next = nextStep(often, now); next !== null; next = nextStep(often, now)) {
        if (next.kind === 'run') times.push(next.occurrence.at);
        often = { ...often, nextRun: next.nextRun };
      }
    expect(times.length).toBeGreaterThan(45);
    expect(times).toEqual(times.map((_, n) => START + (n + 1) * SECOND));
  });
});

describe('occurrenceId', () => {
  it('is a fit id, one for each name and time, and the same in every process', () => {
    const ids = ['a', 'b', '1 a', 'ä😀', 'x'.repeat(255)].flatMap((name) =>
      [0, 1, START, -1].map((at) => occurrenceId(name, at)),
    );
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^s[\w-]{43}$/);
    // A change would run occurrences twice during a deployment.
    expect(occurrenceId('a', START)).toBe('swY4rA3OP1NNVV70-63qDRsHITexUnjwqXiSExYqgp78');
  });
});

describe('when a worker must look', () => {
  const schedule = scheduleOf('x', hourly, START);
  const occurrence = { at: START, missed: 0 };
  const paused = { at: START, reason: null, by: null };

  it.each([
    ['at the next occurrence', {}, START + HOUR],
    ['never, if there is none', { nextRun: null }, null],
    ['never, if it is paused', { paused, waiting: occurrence }, null],
    ['never, if it is orphaned', { orphaned: true, submitting: [occurrence] }, null],
    ['in a second, if an occurrence waits', { waiting: occurrence }, START + SECOND],
    [
      'in a second, if an occurrence waits and there is no next one',
      { waiting: occurrence, nextRun: null },
      START + SECOND,
    ],
    ['at the next occurrence, if that is sooner', { waiting: occurrence, nextRun: START + 5 }, START + 5],
    [
      'in five seconds, while a job is being submitted',
      { submitting: [occurrence], nextRun: START + 5 },
      START + 5 * SECOND,
    ],
  ])('%s', (_, values, due) => {
    expect(dueOf({ ...schedule, ...values }, START)).toBe(due);
  });
});
