import { jest } from '@jest/globals';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import * as nestSchedule from '@nestjs/schedule';
import { CronExpression, FlowrraModule } from 'flowrra';
import { FlowrraTestingModule } from 'flowrra/testing';
import { textOf } from '../readme/documents.js';
import { Housekeeping as Moved } from './housekeeping.after.js';
import { Housekeeping } from './housekeeping.before.js';

/** A Wednesday without a change of clocks, in the middle of an hour. */
const NOW = new Date('2026-03-25T12:30:00Z');
const DAY = 86_400_000;
const NAMED = ['report', 'backup', 'nightly'];

afterEach(() => void jest.useRealTimers());

/** Both variants of the class, each for two days: how often its methods ran, and the next times of each schedule. */
async function onNestSchedule() {
  jest.useFakeTimers({ now: NOW });
  const module = await Test.createTestingModule({
    imports: [ScheduleModule.forRoot()],
    providers: [Housekeeping],
  }).compile();
  await module.init();
  const registry = module.get(SchedulerRegistry, { strict: false });
  const next = NAMED.map((name) =>
    registry
      .getCronJob(name)
      .nextDates(10)
      .map((date) => date.toJSDate()),
  );
  await jest.advanceTimersByTimeAsync(2 * DAY);
  await module.close();
  jest.useRealTimers();
  return { next, done: counted(module.get(Housekeeping).done) };
}

async function onFlowrra() {
  const builder = Test.createTestingModule({ imports: [FlowrraModule.forRoot()], providers: [Moved] });
  const module = await FlowrraTestingModule.override(builder, { now: NOW }).compile();
  await module.init();
  const flowrra = FlowrraTestingModule.of(module);
  const next = await Promise.all(NAMED.map((name) => flowrra.schedules.preview(name, 10)));
  await flowrra.clock.advance(2 * DAY);
  await module.close();
  return { next, done: counted(module.get(Moved).done) };
}

function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

it('a class of @nestjs/schedule differs from one of Flowrra in its import alone', () => {
  const before = textOf('test/moving/housekeeping.before.ts');
  expect(before).toContain("from '@nestjs/schedule'");
  expect(before.replace("'@nestjs/schedule'", "'flowrra'")).toBe(textOf('test/moving/housekeeping.after.ts'));
});

it('it has the same times, and its methods run as often', async () => {
  const before = await onNestSchedule();
  expect(before.done).toEqual({ report: 2, backup: 48, nightly: 2, poll: 576, sync: 192 });
  expect(await onFlowrra()).toEqual(before);
});

it('CronExpression has the same names', () => {
  expect(Object.keys(CronExpression).sort()).toEqual(Object.keys(nestSchedule.CronExpression).sort());
});
