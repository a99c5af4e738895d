/**
 * Croner's rule for local times that a change of the clock skips or repeats (README of croner 11, "DST handling"),
 * which Flowrra documents:
 *
 * - A fixed time, with one value each in seconds, minutes and hours (`30 2 * * *`): if it is skipped, the occurrence
 *   is at the end of the gap; if it is repeated, only the first time counts.
 * - Any other expression (a wildcard, a step, a range or a list in seconds, minutes or hours): skipped times have no
 *   occurrence, and repeated times have one each.
 *
 * The times are computed here in another way: each quarter of an hour (or second) of a year is looked at in local time.
 */
import { timetableOf } from '../../../lib/job/schedule/timetable.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Clocks change at a multiple of this, in all zones of these tests. */
const QUARTER = 15 * MINUTE;

const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  // Its clock changes by 30 minutes.
  'Australia/Lord_Howe',
];
const [FROM, TO] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];

/** A local time: its UTC fields are those of the local clock. */
type Local = Date;

interface Expression {
  readonly cron: string;
  readonly fixed: boolean;
  readonly matches: (local: Local) => boolean;
}

const at = (local: Local, hour: number, minute: number): boolean =>
  local.getUTCHours() === hour && local.getUTCMinutes() === minute;
const day = (local: Local): number => local.getUTCDate();
const weekday = (local: Local, offset = 0): number => new Date(local.getTime() + offset * DAY).getUTCDay();
const isWorkday = (local: Local): boolean => ![0, 6].includes(weekday(local));
const isLast = (local: Local): boolean => day(new Date(local.getTime() + DAY)) === 1;

/** The workday that is nearest to the 15th. */
function isNearest15(local: Local): boolean {
  if (day(local) === 14) return weekday(local, 1) === 6;
  if (day(local) === 16) return weekday(local, -1) === 0;
  return day(local) === 15 && isWorkday(local);
}

const EXPRESSIONS: readonly Expression[] = [
  { cron: '30 2 * * *', fixed: true, matches: (local) => at(local, 2, 30) },
  { cron: '15 2 * * *', fixed: true, matches: (local) => at(local, 2, 15) },
  { cron: '45 1 * * *', fixed: true, matches: (local) => at(local, 1, 45) },
  { cron: '0 3 * * 0', fixed: true, matches: (local) => at(local, 3, 0) && weekday(local) === 0 },
  { cron: '0 * * * *', fixed: false, matches: (local) => local.getUTCMinutes() === 0 },
  {
    cron: '15,45 1,2 * * *',
    fixed: false,
    matches: (local) => [1, 2].includes(local.getUTCHours()) && [15, 45].includes(local.getUTCMinutes()),
  },
  {
    cron: '30 0-4 * * *',
    fixed: false,
    matches: (local) => local.getUTCHours() <= 4 && local.getUTCMinutes() === 30,
  },
  { cron: '0 6 * * 1-5', fixed: true, matches: (local) => at(local, 6, 0) && isWorkday(local) },
  { cron: '0 0 L * *', fixed: true, matches: (local) => at(local, 0, 0) && isLast(local) },
  { cron: '0 0 15W * *', fixed: true, matches: (local) => at(local, 0, 0) && isNearest15(local) },
  {
    cron: '0 0 * * 1#2',
    fixed: true,
    matches: (local) => at(local, 0, 0) && weekday(local) === 1 && Math.ceil(day(local) / 7) === 2,
  },
];

/** The difference of the local clock to UTC. */
function offsetIn(zone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const known = new Map<number, number>();
  return (time) => {
    const quarter = Math.floor(time / QUARTER) * QUARTER;
    let offset = known.get(quarter);
    if (offset === undefined) {
      const parts = Object.fromEntries(
        format.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]),
      );
      const { year = 0, month = 0, day: date = 0, hour = 0, minute = 0 } = parts;
      offset = Date.UTC(year, month - 1, date, hour, minute) - quarter;
      known.set(quarter, offset);
    }
    return offset;
  };
}

/** The occurrences by the documented rule, found by a walk in steps through the local times. */
function walked(
  { fixed, matches }: Expression,
  offset: (time: number) => number,
  from: number,
  to: number,
  step: number,
): number[] {
  const times: number[] = [];
  let before = from - step + offset(from - step);
  /** The latest local time that has been. */
  let latest = before;
  for (let time = from; time < to; time += step) {
    const local = time + offset(time);
    const isFirst = local > latest;
    let found = matches(new Date(local)) && (!fixed || isFirst);
    // The gap, if the clock was set forward.
    if (fixed)
      for (let skipped = before + step; skipped < local; skipped += step)
        found ||= matches(new Date(skipped));
    if (found) times.push(time);
    before = local;
    latest = Math.max(latest, local);
  }
  return times;
}

function stepped(cron: string, timezone: string, from: number, to: number): number[] {
  const timetable = timetableOf({ cron, timezone });
  const times: number[] = [];
  for (let time = timetable.next(from - 1); time !== null && time < to; time = timetable.next(time))
    times.push(time);
  return times;
}

/** When the clock changes. */
function changesIn(offset: (time: number) => number): number[] {
  const changes: number[] = [];
  for (let time = FROM; time < TO; time += QUARTER)
    if (offset(time) !== offset(time - QUARTER)) changes.push(time);
  return changes;
}

describe.each(ZONES)('in %s', (zone) => {
  const offset = offsetIn(zone);

  it('the clock changes as often as expected', () => {
    expect(changesIn(offset)).toHaveLength(zone === 'Asia/Kolkata' ? 0 : 2);
  });

  it.each(EXPRESSIONS)('$cron: all times of a year', (expression) => {
    const expected = walked(expression, offset, FROM, TO, QUARTER);
    expect(expected.length).toBeGreaterThan(11);
    expect(stepped(expression.cron, zone, FROM, TO)).toEqual(expected);
  });

  it.each([
    {
      cron: '*/15 * * * *',
      fixed: false,
      step: QUARTER,
      around: DAY,
      matches: (local: Local) => local.getUTCMinutes() % 15 === 0,
    },
    {
      cron: '*/10 * * * * *',
      fixed: false,
      step: SECOND,
      around: 90 * MINUTE,
      matches: (local: Local) => local.getUTCSeconds() % 10 === 0,
    },
    {
      cron: '20 30 2 * * *',
      fixed: true,
      step: SECOND,
      around: DAY,
      matches: (local: Local) => at(local, 2, 30) && local.getUTCSeconds() === 20,
    },
  ])('$cron: around each change', ({ step, around, ...expression }) => {
    const changes = changesIn(offset);
    for (const change of changes.length > 0 ? changes : [FROM]) {
      const [from, to] = [change - around, change + around];
      expect(stepped(expression.cron, zone, from, to)).toEqual(walked(expression, offset, from, to, step));
    }
  });

  it('the times before a time are those that lead to it, in the same order', () => {
    for (const { cron } of [...EXPRESSIONS, { cron: '*/15 * * * *' }]) {
      const timetable = timetableOf({ cron, timezone: zone });
      for (const change of [...changesIn(offset), FROM]) {
        const times = stepped(cron, zone, change - DAY, change + DAY);
        const ends = [change, change + 1, change + 500, change + 2 * HOUR];
        for (const end of ends) {
          const before = times.filter((time) => time < end);
          expect(timetable.before(end, before.length)).toEqual(before);
        }
      }
    }
  });
});
