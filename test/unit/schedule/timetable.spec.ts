import { checkCron, checkTimezone, timetableOf } from '../../../lib/job/schedule/timetable.js';
import { FlowrraConfigError } from '../../../lib/index.js';
import { HOUR, SECOND } from './schedules.js';

const NOON = Date.UTC(2026, 5, 1, 12);
const hourly = timetableOf({ cron: '0 * * * *', timezone: 'UTC' });

describe('a cron expression', () => {
  it.each([
    [-SECOND - 1, 0],
    [-SECOND, 0],
    [-1, 0],
    [0, HOUR],
    [1, HOUR],
    [500, HOUR],
    [HOUR - 1, HOUR],
  ])('%d ms from an occurrence, the next one is at %d', (from, next) => {
    expect(hourly.next(NOON + from)).toBe(NOON + next);
  });

  it.each([
    [0, -HOUR],
    [-1, -HOUR],
    [1, 0],
    [999, 0],
    [SECOND, 0],
    [HOUR, 0],
  ])('%d ms from an occurrence, the last one before is at %d', (from, last) => {
    expect(hourly.before(NOON + from, 1)).toEqual([NOON + last]);
  });

  it('an expression of 6 fields counts in seconds', () => {
    const timetable = timetableOf({ cron: '*/20 * * * * *', timezone: 'UTC' });
    expect(timetable.next(NOON)).toBe(NOON + 20 * SECOND);
    expect(timetable.before(NOON, 3)).toEqual([-60, -40, -20].map((s) => NOON + s * SECOND));
  });

  it('after the last year that it can reach, there is none', () => {
    for (const time of [Date.UTC(9999, 11, 31, 23, 59), Date.UTC(12_000, 0), 8_640_000_000_000_000])
      expect(hourly.next(time)).toBeNull();
  });

  it.each([
    '',
    '   ',
    '* * * *',
    '* * * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * 32 * *',
    '* * * 13 *',
    '* * * * 8',
    '5-1 * * * *',
    '*/0 * * * *',
    '*/61 * * * *',
    '1-5/0 * * * *',
    '1e1 * * * *',
    '-1 * * * *',
    '\u0000 * * * *',
    '0 0 * * 1#6',
    '0 0 5-7W * *',
    '@daily',
    '@reboot',
    '2030-01-01T00:00:00',
    '2030-01-01T00:00:00Z',
    '0 0 30 2 *',
    '0 0 31 4,6,9,11 *',
    '* * * 31 2 +1#5',
    `${'1,'.repeat(5_000)}1 * * * *`,
    '* '.repeat(5_000),
    '9'.repeat(10_000),
    `${'*'.repeat(10_000)} * * * *`,
    null,
    5,
    {},
    ['* * * * *'],
    new Date(),
  ])('%j is rejected, with a short message', (cron) => {
    const check = (): string => checkCron(cron, 'cron', 'UTC');
    expect(check).toThrow(FlowrraConfigError);
    expect(check).toThrow(/^cron: .{1,600}$/s);
  });

  it.each([
    '* * * * *',
    '0 0 29 2 *',
    '0 0 29 2 +1#5',
    '0 0 L * *',
    '0 0 LW * *',
    '0 0 15W * *',
    '0 0 * * 5L',
    '0 0 * JAN-MAR MON,WED',
    ' 0  6 * * 1-5 ',
    '59 59 23 31 12 *',
  ])('%j is accepted', (cron) => expect(checkCron(cron, 'cron', 'Europe/Berlin')).toBe(cron));
});

it.each(['UTC', 'Europe/Berlin', 'Etc/GMT+5', 'asia/kolkata'])('%s is a time zone', (zone) => {
  expect(checkTimezone(zone, 'timezone')).toBe(zone);
});

it.each(['', 'Mars/Base', 'Europe/Berlin ', 'x'.repeat(10_000), 5, null, {}])(
  '%j is no time zone',
  (zone) => {
    expect(() => checkTimezone(zone, 'timezone')).toThrow(FlowrraConfigError);
    expect(() => checkTimezone(zone, 'timezone')).toThrow(/^timezone: .{1,300}$/s);
  },
);

describe('an interval', () => {
  it('counts whole multiples from its origin, also before it', () => {
    const timetable = timetableOf({ every: 7 * SECOND, origin: NOON });
    for (const from of [0, 1, 6_999]) expect(timetable.next(NOON + from)).toBe(NOON + 7 * SECOND);
    expect(timetable.next(NOON - 1)).toBe(NOON);
    expect(timetable.next(NOON - 7 * SECOND - 1)).toBe(NOON - 7 * SECOND);
    expect(timetable.before(NOON, 2)).toEqual([NOON - 14 * SECOND, NOON - 7 * SECOND]);
    expect(timetable.before(NOON + 1, 2)).toEqual([NOON - 7 * SECOND, NOON]);
  });

  it.each([1_000, 1_234, 86_400_000, 31_536_000_000])('of %d ms: before is the reverse of next', (every) => {
    const timetable = timetableOf({ every, origin: 17 });
    const times = [NOON];
    for (let n = 0; n < 50; n++) times.push(timetable.next(times.at(-1) as number) as number);
    const after = times.slice(1);
    expect(timetable.before((after.at(-1) as number) + 1, 50)).toEqual(after);
    for (let n = 1; n < 50; n++) expect((after[n] as number) - (after[n - 1] as number)).toBe(every);
  });

  it.each([Number.MAX_SAFE_INTEGER, 8_640_000_000_000_001])('of %d ms has no occurrence', (every) => {
    expect(timetableOf({ every, origin: 0 }).next(NOON)).toBeNull();
  });

  it('the last time of a Date is its last possible occurrence', () => {
    const end = 8_640_000_000_000_000;
    const timetable = timetableOf({ every: SECOND, origin: 0 });
    expect(timetable.next(end - 1)).toBe(end);
    expect(timetable.next(end)).toBeNull();
  });
});
