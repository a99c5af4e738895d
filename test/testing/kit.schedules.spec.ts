import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Cron, Interval, Task, type TaskContext, TaskCtx } from '../../lib/index.js';
import { FlowrraTesting, FlowrraTestingModule, type TestMode } from '../../lib/testing/index.js';

@Injectable()
class Reports {
  readonly made: string[] = [];
  readonly synced: string[] = [];
  failures = 0;

  @Cron('0 6 * * *', { timezone: 'Europe/Berlin' })
  @Task({ retryDelay: '10m' })
  async daily(@TaskCtx() { schedule }: TaskContext): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.failures-- > 0) throw new RangeError('no data');
    this.made.push(schedule?.at.toISOString() ?? 'by hand');
  }

  @Interval('1h', { name: 'hourly', disabled: true })
  hourly(): void {}

  @Task()
  sync(tenant: string): void {
    this.synced.push(tenant);
  }
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});

async function start(mode?: TestMode) {
  const now = new Date('2026-03-27T12:00:00Z');
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ now, ...(mode && { mode }) })],
    providers: [Reports],
  }).compile();
  open.push(module);
  await module.init();
  return { flowrra: module.get(FlowrraTesting), reports: module.get(Reports) };
}

const DAYS = ['28T05', '29T04', '30T04', '31T04'].map((hour) => `2026-03-${hour}:00:00.000Z`);

it('manual: the clock fires occurrences, and the retries of their jobs', async () => {
  const { flowrra, reports } = await start();
  reports.failures = 1;
  await flowrra.clock.advance('4d');
  expect(reports.made).toEqual(DAYS);
  expect(flowrra.submitted(Reports, 'daily')).toHaveLength(4);
  await flowrra.clock.advance('30d');
  expect(reports.made).toHaveLength(34);
  expect(flowrra.submitted('Reports.hourly')).toEqual([]);
  await flowrra.schedules.set('sync', { every: '1h' }, reports.sync, 'acme');
  expect(await flowrra.schedules.preview('sync', 1)).toEqual([new Date('2026-04-30T13:00:00Z')]);
  await flowrra.clock.advance('3h');
  expect(reports.synced).toEqual(['acme', 'acme', 'acme']);
});

it('manual: a triggered job waits for drain(), as a submitted one', async () => {
  const { flowrra, reports } = await start();
  const taskId = await flowrra.schedules.trigger('Reports.daily');
  expect(reports.made).toEqual([]);
  await flowrra.drain();
  expect(reports.made).toEqual(['2026-03-27T12:00:00.000Z']);
  expect(await flowrra.getResult(taskId)).toMatchObject({ status: 'success' });
});

it('inline: an occurrence runs while the clock is moved, once, and its error is in its result', async () => {
  const { flowrra, reports } = await start('inline');
  await flowrra.clock.advance('2d');
  expect(reports.made).toEqual(DAYS.slice(0, 2));
  reports.failures = 1;
  await flowrra.clock.advance('1d');
  const failed = flowrra.submitted(Reports, 'daily').at(-1)?.taskId ?? '';
  expect(await flowrra.getResult(failed)).toMatchObject({
    status: 'retrying',
    error: expect.stringContaining('no data'),
  });
  await flowrra.clock.advance('1d');
  expect((await flowrra.schedules.get('Reports.daily'))?.counts).toEqual({
    submitted: 3,
    missed: 0,
    overlapped: 1,
  });
});

it('inline: a triggered job runs inside the call, which throws its error', async () => {
  const { flowrra, reports } = await start('inline');
  await flowrra.schedules.trigger('Reports.daily');
  expect(reports.made).toEqual(['2026-03-27T12:00:00.000Z']);
  reports.failures = 1;
  await expect(flowrra.schedules.trigger('Reports.daily')).rejects.toThrow('no data');
});

it('fake: occurrences are recorded and do not end, so further ones overlap', async () => {
  const { flowrra, reports } = await start('fake');
  await flowrra.clock.advance('4d');
  expect(reports.made).toEqual([]);
  expect(flowrra.submitted(Reports, 'daily')).toHaveLength(1);
  expect((await flowrra.schedules.get('Reports.daily'))?.counts).toMatchObject({
    submitted: 1,
    overlapped: 3,
  });
});
