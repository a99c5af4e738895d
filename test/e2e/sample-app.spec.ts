import { jest } from '@jest/globals';
import { type INestApplication, Module, type Type } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import {
  EngineError,
  FlowrraExceptionFilter,
  FlowrraModule,
  type FlowrraModuleOptions,
  FlowrraService,
} from 'flowrra';
import request from 'supertest';
import { describeSample } from './sample-app.cases.js';

describeSample('memory:');

const opened: INestApplication[] = [];

// Here, so that a test which fails leaves nothing open behind it.
afterEach(async () => {
  for (const small of opened.splice(0)) await small.close();
});

/** The sample's endpoints over a Flowrra of other options. */
async function serve(options: FlowrraModuleOptions, imports: Type[]): Promise<INestApplication> {
  @Module({
    imports: [FlowrraModule.forRoot(options), ...imports],
    providers: [{ provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
  })
  class SmallModule {}

  const small = await NestFactory.create(SmallModule, { logger: false });
  opened.push(small);
  await small.init();
  return small;
}

it('answers 503 with Retry-After while the queue is full', async () => {
  const { UsersModule } = await import('../../sample-app/users/users.module.js');
  const small = await serve({ maxPending: 1, whenFull: 'reject' }, [UsersModule]);
  const user = { email: 'ada@example.com', name: 'Ada' };
  await small
    .get(FlowrraService)
    .with({ delay: '1h' })
    .submit('EmailTasks.sendWelcome', user.email, user.name);
  const response = await request(small.getHttpServer()).post('/users').send(user);
  expect(response.status).toBe(503);
  expect(response.headers['retry-after']).toBe('5');
  expect(response.body).toMatchObject({ code: 'FLOWRRA_QUEUE_FULL' });
});

it('answers 400 for arguments that are too large, and 503 once Flowrra has stopped', async () => {
  const { UsersModule } = await import('../../sample-app/users/users.module.js');
  const small = await serve({ maxPayloadBytes: 100 }, [UsersModule]);
  const user = { email: 'ada@example.com', name: 'A'.repeat(200) };
  const large = await request(small.getHttpServer()).post('/users').send(user);
  expect(large.status).toBe(400);
  expect(large.body).toMatchObject({ code: 'FLOWRRA_PAYLOAD' });
  await small.get(FlowrraService).stop();
  const stopped = await request(small.getHttpServer())
    .post('/users')
    .send({ ...user, name: 'A' });
  expect(stopped.status).toBe(503);
  expect(stopped.body).toMatchObject({ code: 'FLOWRRA_NOT_RUNNING' });
});

it('tells a result that has been dropped, 410, from a task that nobody knows, 404', async () => {
  const { TasksModule } = await import('../../sample-app/tasks/tasks.module.js');
  const small = await serve({ maxResults: 1 }, [TasksModule]);
  const service = small.get(FlowrraService);
  service.register({ name: 'noop' }, () => null);
  const [first, second] = await service.submitMany('noop', [[], []]);
  await service.waitForResult(second as string);
  const http = small.getHttpServer();
  await request(http).get(`/tasks/${second}`).expect(200);
  const dropped = await request(http).get(`/tasks/${first}`);
  expect(dropped.status).toBe(410);
  expect(dropped.body).toMatchObject({ code: 'FLOWRRA_RESULT_EXPIRED' });
  const unknown = await request(http).get('/tasks/nobody-knows-it');
  expect(unknown.body).toMatchObject({ statusCode: 404, code: 'FLOWRRA_RESULT_NOT_FOUND' });
});

it('answers 503 while the engine is out of reach', async () => {
  const { UsersModule } = await import('../../sample-app/users/users.module.js');
  const small = await serve({}, [UsersModule]);
  const submit = jest.spyOn(small.get(FlowrraService), 'submit');
  const post = (): request.Test =>
    request(small.getHttpServer()).post('/users').send({ email: 'ada@example.com', name: 'Ada' });

  submit.mockRejectedValueOnce(new EngineError('Redis is out of reach.'));
  const refused = await post();
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
  expect(refused.body).toEqual({
    statusCode: 503,
    code: 'FLOWRRA_ENGINE',
    message: 'Redis is out of reach.',
  });
});
