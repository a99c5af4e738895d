import { setTimeout as pause } from 'node:timers/promises';
import { type INestApplication, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FlowrraExceptionFilter, FlowrraModule } from 'flowrra';
import { bullmq } from 'flowrra/bullmq';
import request from 'supertest';
import { TasksModule } from '../../sample-app/tasks/tasks.module.js';
import { UsersModule } from '../../sample-app/users/users.module.js';
import { startServices } from '../../scripts/services/services.mjs';

/** Between two looks at a task; the test's own time-out bounds them. */
const LOOK_MS = 20;

const services = await startServices({ own: true });
let app: INestApplication;

afterEach(() => app.close());
afterAll(() => services.stop());

it.each([
  ['redis', services.redis, services.redisUrl],
  ['postgres', services.postgres, services.postgresUrl],
])(
  'a client is told what to do while %s stands still, and nothing is lost',
  async (_name, server, connection) => {
    @Module({
      imports: [
        FlowrraModule.forRoot({
          engine: bullmq({ connection, submitTimeout: '1s', whenUnreachable: 'wait' }),
        }),
        UsersModule,
        TasksModule,
      ],
      providers: [{ provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
    })
    class SmallModule {}
    app = await NestFactory.create(SmallModule, { logger: false });
    await app.init();
    const http = app.getHttpServer();
    const user = { email: 'ada@example.com', name: 'Ada' };

    const done = async (taskId: string): Promise<void> => {
      for (let status = ''; status !== 'success'; await pause(LOOK_MS)) {
        const { body } = await request(http).get(`/tasks/${taskId}`);
        status = (body as { status: string }).status;
      }
    };
    // On a busy machine the server may seem silent here as well.
    let accepted = await request(http).post('/users').send(user);
    while (accepted.status === 503) accepted = await request(http).post('/users').send(user);
    await done((accepted.body as { taskId: string }).taskId);

    server.pause();
    const uncertain = await request(http).post('/users').send(user);
    server.resume();
    expect(uncertain.status).toBe(503);
    expect(uncertain.headers['retry-after']).toBe('5');
    const { taskId } = uncertain.body as { taskId: string };
    expect(uncertain.body).toMatchObject({ statusCode: 503, code: 'FLOWRRA_SUBMIT_UNCERTAIN' });
    // It was sent before the server stood still, so it turns up.
    await done(taskId);
  },
);
