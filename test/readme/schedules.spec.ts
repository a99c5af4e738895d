import { Test } from '@nestjs/testing';
import { FlowrraTesting, FlowrraTestingModule } from 'flowrra/testing';
import { section } from './documents.js';

/** Expressions with their times in the table about changes of clocks, of both days. */
const rows = [
  ...section('When local clocks change').matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$/gm),
].map(([, cron = '', march = '', october = '']) => [cron, march, october] as const);

/** The times of an expression between 00:30 and 04:00 of a day in Berlin, as the table shows them. */
async function timesOn(now: string, until: string, cron: string): Promise<string> {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ now: new Date(now) })],
  }).compile();
  await module.init();
  const times = (
    await module.get(FlowrraTesting).schedules.preview({ cron, timezone: 'Europe/Berlin' }, 20)
  ).filter((time) => time < new Date(until));
  await module.close();
  const local = times.map((time) =>
    time.toLocaleTimeString('de', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit' }),
  );
  const shown = times.map((time, n) => {
    const text = local[n] as string;
    if (until.startsWith('2026-03') || !text.startsWith('02:')) return text;
    return `${text} (${time < new Date('2026-10-25T01:00:00Z') ? 'first' : 'second'})`;
  });
  return shown.join(', ') || 'none';
}

it('shows several expressions', () => {
  expect(rows.length).toBeGreaterThan(3);
});

it.each(rows)('%s has the times of the table when clocks change', async (cron, march, october) => {
  expect(await timesOn('2026-03-28T23:30:00Z', '2026-03-29T02:00:00Z', cron)).toBe(march);
  expect(await timesOn('2026-10-24T22:30:00Z', '2026-10-25T03:00:00Z', cron)).toBe(october);
});
