import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService } from 'flowrra';
import request from 'supertest';
import type { DataSourceOptions } from 'typeorm';
import { Mailer } from '../../sample-app/mail/mailer.js';
import { ShopModule } from '../../sample-app/shop/shop.module.js';
import { startServices } from '../../scripts/services/services.mjs';
import { ownPlace } from '../support/own-place.js';
import { tempFile } from '../support/sqlite.js';
import { until } from '../support/until.js';

const services = await startServices({ own: true });
const place = await ownPlace(services, 1);
let app: INestApplication;
let mails: string[];

afterEach(() => app.close());
afterAll(() => services.stop());

async function open(engine: string, database: DataSourceOptions): Promise<void> {
  app = await NestFactory.create(ShopModule.over(engine, database), { logger: false });
  mails = [];
  app.get(Mailer).send = async (to, subject) => {
    mails.push(`${to}: ${subject}`);
    return 'sent';
  };
  await app.init();
}

const post = (quantity: number): request.Test =>
  request(app.getHttpServer()).post('/orders').send({ email: 'ada@example.com', item: 'tea', quantity });

async function ended(taskIds: string[]): Promise<unknown[]> {
  const statuses: unknown[] = [];
  for (const taskId of taskIds) {
    let status: unknown;
    const isDone = async (): Promise<boolean> => {
      const { body } = await request(app.getHttpServer()).get(`/tasks/${taskId}`);
      ({ status } = body as { status: unknown });
      return (body as { isComplete?: boolean }).isComplete === true;
    };
    await until(isDone, { describe: `${taskId} ends` });
    statuses.push(status);
  }
  return statuses;
}

describe.each<[string, () => DataSourceOptions]>([
  ['SQLite', () => ({ type: 'better-sqlite3', database: tempFile() })],
  ['PostgreSQL', () => ({ type: 'postgres', url: place.postgres })],
])('orders on %s', (_name, database) => {
  it('makes the jobs of an order with its commit, and none if the order fails', async () => {
    await open('memory:', database());
    const { body } = await post(2).expect(201);
    expect(await ended(body.taskIds)).toEqual(['success', 'success']);
    expect([...mails].sort()).toEqual(['ada@example.com: Your order', 'ada@example.com: Your payment']);
    const { body: found } = await request(app.getHttpServer()).get(`/orders/${body.orderId}`);
    expect(found).toMatchObject({
      order: { item: 'tea', quantity: 2 },
      payments: [{ amount: 8 }],
    });

    // The jobs of this order are submitted before the stock is found to be too small.
    await post(9).expect(409);
    const flowrra = app.get(FlowrraService);
    expect(await flowrra.outbox.relay()).toBe(0);
    expect((await flowrra.jobs.find({})).jobs).toHaveLength(2);
    expect(mails).toHaveLength(2);
  });

  it('books a payment once, although the first attempt fails after it', async () => {
    await open('memory:', database());
    const mailer = app.get(Mailer);
    const { send } = mailer;
    let isDown = true;
    mailer.send = async (to, subject, text) => {
      if (!isDown || subject !== 'Your payment') return send(to, subject, text);
      isDown = false;
      throw new Error('421 service not available');
    };
    const { body } = await post(1).expect(201);
    expect(await ended(body.taskIds)).toEqual(['success', 'success']);
    const payment = await app.get(FlowrraService).getResult(body.taskIds[1]);
    expect(payment).toMatchObject({ result: 4, retries: 1 });
    const { body: found } = await request(app.getHttpServer()).get(`/orders/${body.orderId}`);
    expect(found.payments).toMatchObject([{ amount: 4 }]);
  });

  it('takes orders while the server of the queue is stopped, and runs their jobs once it is back', async () => {
    await open(place.redis, database());
    const first = await post(1).expect(201);
    expect(await ended(first.body.taskIds)).toEqual(['success', 'success']);

    await services.redis.kill();
    const { body } = await post(1).expect(201);
    await post(20).expect(409);
    const flowrra = app.get(FlowrraService);
    expect((await flowrra.outbox.health()).oldestMs).not.toBeNull();
    await services.redis.restart();

    expect(await ended(body.taskIds)).toEqual(['success', 'success']);
    expect(mails).toHaveLength(4);
    const { body: found } = await request(app.getHttpServer()).get(`/orders/${body.orderId}`);
    expect(found.payments).toMatchObject([{ amount: 4 }]);
    expect(await flowrra.outbox.health()).toEqual({ oldestMs: null, stuck: 0 });
  });
});

it('refuses an order that is not complete', async () => {
  await open('memory:', { type: 'better-sqlite3', database: tempFile() });
  const http = app.getHttpServer();
  await request(http).post('/orders').send({ email: 'ada@example.com' }).expect(400);
  await request(http).post('/orders').send({ email: 'a@b', item: 'tea', quantity: 0 }).expect(400);
  await request(http).get('/orders/unknown').expect(404);
});
