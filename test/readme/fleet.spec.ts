import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { bullmq } from 'flowrra/bullmq';
import { ReceiptTasks } from '../../sample-app/snippets.js';
import { startServices, type Services } from '../../scripts/services/services.mjs';
import { type OwnPlace, ownPlace } from '../support/own-place.js';

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

let services: Services;
let place: OwnPlace;
beforeAll(async () => {
  services = await startServices();
  place = await ownPlace(services, 4);
});
afterAll(async () => {
  delete process.env['TASKS_URL'];
  await place.remove();
  await services.stop();
});

async function start(engine: DynamicModule): Promise<INestApplicationContext> {
  @Module({ imports: [engine], providers: [ReceiptTasks] })
  class FleetModule {}
  const app = await NestFactory.createApplicationContext(FleetModule, { logger: false, abortOnError: false });
  open.push(app);
  return app;
}

it('share jobs over Redis, and take those of a plain BullMQ producer', async () => {
  process.env['TASKS_URL'] = place.redis;
  const { fleet } = await import('../../sample-app/fleet.js');
  const app = await start(fleet);
  const flowrra = app.get(FlowrraService);
  const id = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');
  expect((await flowrra.waitForResult(id)).status).toBe('success');

  await import('../../sample-app/plain-bullmq.js');
  expect((await flowrra.waitForResult('receipt-9')).status).toBe('success');
  expect(app.get(ReceiptTasks).sent).toEqual(['order-1', 'order-9']);
});

it('share jobs over PostgreSQL, in tables that a deployment has made', async () => {
  process.env['TASKS_URL'] = place.postgres;
  await import('../../sample-app/migrate.js');
  const app = await start(
    FlowrraModule.forRoot({ engine: bullmq({ connection: place.postgres, migrate: false }) }),
  );
  const flowrra = app.get(FlowrraService);
  const id = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');
  expect((await flowrra.waitForResult(id)).status).toBe('success');
});
