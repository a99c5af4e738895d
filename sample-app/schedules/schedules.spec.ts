// sample-app/schedules/schedules.spec.ts
import { Test } from '@nestjs/testing';
import { FlowrraExceptionFilter } from 'flowrra';
import { FlowrraTesting, flowrraMatchers, type FlowrraMatchers, FlowrraTestingModule } from 'flowrra/testing';
import request from 'supertest';
import { operate, overridden, set } from './operations.js';
import { ReportTasks } from './report.tasks.js';
import { SchedulesModule } from './schedules.module.js';
import { SyncTasks } from './sync.tasks.js';

declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}

expect.extend(flowrraMatchers);

async function start() {
  const module = await Test.createTestingModule({
    // a Friday, before the clocks of Berlin change
    imports: [FlowrraTestingModule.forRoot({ now: new Date('2026-03-27T12:00:00Z') }), SchedulesModule],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  app.useGlobalFilters(new FlowrraExceptionFilter(app.getHttpAdapter()));
  await app.init();
  const http = request(app.getHttpServer());
  return { app, http, flowrra: app.get(FlowrraTesting) };
}

it('makes a report on working days', async () => {
  const { app, flowrra } = await start();
  await expect(flowrra).toHaveScheduled('ReportTasks.daily', { next: new Date('2026-03-30T04:00:00Z') });
  await flowrra.clock.advance('7d');
  expect(app.get(ReportTasks).reports).toEqual(
    ['2026-03-30', '2026-03-31', '2026-04-01', '2026-04-02', '2026-04-03'].map((day) => `report of ${day}`),
  );
  await app.close();
});

it('operates on schedules as the documentation shows', async () => {
  const { app, flowrra } = await start();
  await set(flowrra, app.get(SyncTasks));
  await expect(flowrra).toHaveScheduled('sync:globex', {
    timezone: 'America/New_York',
    next: new Date('2026-03-28T08:00:00Z'),
  });
  await flowrra.clock.advance('15m');
  expect(await operate(flowrra)).toMatchObject({ paused: null, counts: { submitted: 2 } });
  await expect(flowrra).not.toHaveScheduled('sync:globex');
  await app.close();
});

it.each([
  [{}, '30 5 * * *'],
  [{ DAILY: '0 7 * * *' }, '0 7 * * *'],
])('overrides declared schedules: %j', async (env, cron) => {
  const builder = Test.createTestingModule({ imports: [overridden(env), SchedulesModule] });
  const module = await FlowrraTestingModule.override(builder).compile();
  await module.init();
  const flowrra = FlowrraTestingModule.of(module);
  await expect(flowrra).toHaveScheduled('ReportTasks.daily', {
    cron,
    timezone: 'Europe/Berlin',
    missed: 'once',
  });
  await expect(flowrra).not.toHaveScheduled('ReportTasks.removeOld');
  await module.close();
});

it('keeps the latest 100 reports', async () => {
  const { app, flowrra } = await start();
  const { reports } = app.get(ReportTasks);
  for (let n = 0; n < 101; n++) reports.push(`report ${n}`);
  await flowrra.clock.advance('15m');
  expect(reports).toHaveLength(100);
  await app.close();
});

it('synchronises the tenants that are followed, each on its own', async () => {
  const { app, http, flowrra } = await start();
  await http.put('/tenants/acme/sync').expect(204);
  await http.put('/tenants/acme/sync').expect(204);
  await http.put('/tenants/globex/sync').expect(204);
  await expect(flowrra).toHaveScheduled('sync:acme', { every: '15m', jitter: '1m', paused: null });
  await flowrra.clock.advance('30m');
  await http.delete('/tenants/globex/sync').expect(204);
  await http.delete('/tenants/globex/sync').expect(404);
  await flowrra.clock.advance('31m');
  const { synced } = app.get(SyncTasks);
  expect(synced.filter((tenant) => tenant === 'globex').length).toBeLessThanOrEqual(2);
  expect(synced.filter((tenant) => tenant === 'acme')).toHaveLength(4);
  await app.close();
});

it('lets an operator pause, resume and trigger a schedule', async () => {
  const { app, http, flowrra } = await start();
  const { reports } = app.get(ReportTasks);
  const path = '/schedules/ReportTasks.daily';
  await http.post(`${path}/pause`).send({ reason: 'wrong figures', by: 'ada' }).expect(204);
  await expect(flowrra).toHaveScheduled('ReportTasks.daily', {
    paused: { reason: 'wrong figures', by: 'ada' },
    next: null,
  });
  await flowrra.clock.advance('7d');
  expect(reports).toEqual([]);
  const triggered = await http.post(`${path}/trigger`).expect(202);
  await flowrra.drain();
  expect(await flowrra.getResult(triggered.body.taskId)).toMatchObject({ result: 'report of 2026-04-03' });
  await http.post(`${path}/resume`).expect(204);
  await flowrra.clock.advance('3d');
  expect(reports).toEqual(['report of 2026-04-03', 'report of 2026-04-06']);
  const { body } = await http.get(path).expect(200);
  expect(body.history.map(({ kind }: { kind: string }) => kind)).toEqual(['submitted', 'triggered']);
  expect((await http.get('/schedules')).body).toHaveLength(2);
  await http.get('/schedules/unknown').expect(404);
  await http.post('/schedules/unknown/pause').expect(404);
  await app.close();
});
