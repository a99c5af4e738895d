import { FlowrraConfigError } from '../../../lib/index.js';
import { resolveScheduleRule } from '../../../lib/job/schedule/schedule-options.js';
import { nextOccurrence } from '../../../lib/job/schedule/schedule.js';
import { DAY } from './schedules.js';

const resolve = (options: unknown) => resolveScheduleRule(options, 'rule');
const END = 8_640_000_000_000_000;

it('fills in the defaults', () => {
  const rest = { start: null, end: null, jitter: 0, missed: 'skip', overlap: 'skip' };
  expect(resolve({ cron: '0 6 * * *' })).toEqual({ timing: { cron: '0 6 * * *', timezone: 'UTC' }, ...rest });
  expect(resolve({ every: '15m' })).toEqual({ timing: { every: 900_000, origin: 0 }, ...rest });
});

it('keeps the given values, and counts an interval from its start', () => {
  const [start, end] = [new Date(5), new Date(9)];
  const given = { start, end, jitter: '30s', missed: 'all', overlap: 'queue' };
  expect(resolve({ cron: '* * * * *', timezone: 'Europe/Berlin', ...given })).toEqual({
    timing: { cron: '* * * * *', timezone: 'Europe/Berlin' },
    start: 5,
    end: 9,
    jitter: 30_000,
    missed: 'all',
    overlap: 'queue',
  });
  expect(resolve({ every: 1_000, start }).timing).toEqual({ every: 1_000, origin: 5 });
});

it.each([
  [{}, /^rule: .*Give either cron/],
  [{ cron: '* * * * *', every: '1m' }, /Give either cron/],
  [null, /^rule: /],
  ['1h', /^rule: /],
  [[], /^rule: /],
  [{ evry: '1h' }, /evry.*every/],
  [{ every: '1h', timezone: 'UTC' }, /^rule\.timezone: .*interval/],
  [{ every: 999 }, /^rule\.every: /],
  [{ every: '10ms' }, /^rule\.every: /],
  [{ every: NaN }, /^rule\.every: /],
  [{ every: Infinity }, /^rule\.every: /],
  [{ every: -1 }, /^rule\.every: /],
  [{ every: '1e99d' }, /^rule\.every: /],
  [{ every: 2 ** 60 }, /^rule\.every: /],
  [{ every: '1h', jitter: '25h' }, /^rule\.jitter: /],
  [{ every: '1h', jitter: Infinity }, /^rule\.jitter: /],
  [{ every: '1h', jitter: NaN }, /^rule\.jitter: /],
  [{ every: '1h', jitter: -5 }, /^rule\.jitter: /],
  [{ every: '1h', missed: 'never' }, /^rule\.missed: /],
  [{ every: '1h', overlap: true }, /^rule\.overlap: /],
  [{ every: '1h', start: new Date(NaN) }, /^rule\.start: /],
  [{ every: '1h', end: new Date('tomorrow') }, /^rule\.end: /],
  [{ every: '1h', start: 5 }, /^rule\.start: /],
  [{ every: '1h', start: new Date(9), end: new Date(9) }, /^rule\.end: .*later than start/],
  [{ cron: '61 * * * *' }, /^rule\.cron: /],
  [{ cron: '* * * * *', timezone: 'Mars/Base' }, /^rule\.timezone: /],
])('%j is rejected with the name of the option', (options, message) => {
  expect(() => resolve(options)).toThrow(FlowrraConfigError);
  expect(() => resolve(options)).toThrow(message);
});

it.each([
  { every: Number.MAX_SAFE_INTEGER },
  { every: 1_000, start: new Date(END) },
  { every: 1_000, start: new Date(-END) },
  { every: 1_000, end: new Date(-END + 1) },
  { every: DAY, start: new Date(-END), end: new Date(END) },
  { cron: '* * * * *', start: new Date(END) },
  { cron: '* * * * *', start: new Date(-END) },
  { cron: '* * * * *', end: new Date(-END + 1) },
  { cron: '0 0 29 2 +1#5', timezone: 'Europe/Berlin', start: new Date(END) },
  { cron: '* * * * *', jitter: DAY },
])('%j is accepted, and has an occurrence within its limits or none', (options) => {
  const rule = resolve(options);
  const now = Date.UTC(2026, 0, 1);
  const next = nextOccurrence(rule, now);
  if (next === null) return;
  expect(next).toBeGreaterThan(now);
  expect(next - now).toBeLessThanOrEqual(
    'start' in options && rule.start !== null && rule.start > now ? END : DAY,
  );
  expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
  expect(next % 1_000).toBe(0);
});
