import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';
import { until } from '../support/until.js';
import { doubles, place, startOn, Work } from './apps.js';
import { outageCases } from './outage.cases.js';
import { scheduleOutageCases } from './schedule-outage.cases.js';

const services = await startServices({ redis: false, own: true, durable: true });
afterAll(() => services.stop());

outageCases(() => services.postgres);
scheduleOutageCases(() => services.postgres);

it('a server that dies in the middle of the start is waited for', async () => {
  const { url } = services.postgres;
  const { app } = await startOn({ connection: url }, Work);
  await app.close();
  const admin = new pg.Client(url);
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query('BEGIN; LOCK TABLE bullmq.migration');
  const starting = startOn({ connection: url, prefix: place(), whenUnreachable: 'wait' }, Work);
  const held = async (): Promise<boolean> =>
    (await admin.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rows.length > 0;
  await until(held, { describe: 'the start waits for the lock' });
  await services.postgres.kill();
  await services.postgres.restart();
  const { flowrra } = await starting;
  expect(await doubles(flowrra, 4)).toBe(8);
});
