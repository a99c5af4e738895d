import { EventEmitter } from 'node:events';
import {
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Module,
  Param,
  type Provider,
  UseFilters,
} from '@nestjs/common';
import { type AbstractHttpAdapter, APP_FILTER, NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { firstValueFrom } from 'rxjs';
import * as flowrra from '../../lib/index.js';
import {
  EngineError,
  FlowrraError,
  FlowrraExceptionFilter,
  FlowrraModule,
  FlowrraService,
  ResultNotFoundError,
  Task,
  TaskNotFoundError,
} from '../../lib/index.js';
import { section } from '../readme/documents.js';

/** One error of each kind, by its code. */
const errors = new Map(
  Object.entries(flowrra)
    .filter(([name]) => name.endsWith('Error') && name !== 'FlowrraError')
    .map(([, type]) => new (type as unknown as new (...args: unknown[]) => FlowrraError)('1s', 'a problem'))
    .map((error) => [error.code, error]),
);

/** The status that the documentation names for each code; 500 where it names none. */
const documented = [...section('Errors').matchAll(/^\| `\w+Error` \| `(\w+)` \| (\d*) ?\|/gm)].map(
  ([, code, status]) => [code as string, Number(status === '' ? 500 : status)] as const,
);

@Controller()
class Fails {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get('errors/:code')
  fail(@Param('code') code: string): never {
    throw errors.get(code) ?? new Error('no error of that code');
  }

  @Get('tasks/:taskId')
  status(@Param('taskId') taskId: string): Promise<unknown> {
    return this.flowrra.waitForResult(taskId);
  }

  @MessagePattern('fail')
  message(): never {
    throw new EngineError('Redis is out of reach.');
  }
}

@Controller('bound')
@UseFilters(FlowrraExceptionFilter)
class Bound extends Fails {}

const open: INestApplication[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function create(adapter: AbstractHttpAdapter, providers: Provider[] = []): Promise<INestApplication> {
  @Module({ imports: [FlowrraModule.forRoot()], controllers: [Fails, Bound], providers })
  class Root {}
  const app = await NestFactory.create(Root, adapter, { logger: false, abortOnError: false });
  open.push(app);
  return app;
}

async function get(app: INestApplication, path: string): Promise<{ headers: Headers; body: unknown }> {
  const { headers, ...response } = await fetch(`${await app.getUrl()}/${path}`).then(async (answer) => ({
    headers: answer.headers,
    body: (await answer.json()) as { statusCode: number },
    status: answer.status,
  }));
  expect(response.body.statusCode).toBe(response.status);
  return { headers, body: response.body };
}

const everywhere = { provide: APP_FILTER, useClass: FlowrraExceptionFilter };

describe.each<[string, () => AbstractHttpAdapter]>([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('FlowrraExceptionFilter on %s', (_platform, adapter) => {
  it('answers each error as documented', async () => {
    const app = await create(adapter(), [everywhere]);
    await app.listen(0, '127.0.0.1');
    expect(documented.map(([code]) => code).sort()).toEqual([...errors.keys()].sort());
    for (const [code, statusCode] of documented) {
      const { headers, body } = await get(app, `errors/${code}`);
      expect([code, headers.get('retry-after')]).toEqual([code, statusCode === 503 ? '5' : null]);
      expect(body).toEqual(
        statusCode === 500
          ? { statusCode, message: 'Internal server error' }
          : {
              statusCode,
              code,
              message: errors.get(code)?.message,
              ...(code === 'FLOWRRA_SUBMIT_UNCERTAIN' && { taskId: '1' }),
            },
      );
    }
  });

  it('answers 404 for an unknown id, and leaves any other error to Nest', async () => {
    const app = await create(adapter(), [everywhere]);
    await app.listen(0, '127.0.0.1');
    expect((await get(app, 'tasks/nobody-knows-it')).body).toMatchObject({
      statusCode: 404,
      code: 'FLOWRRA_RESULT_NOT_FOUND',
    });
    expect((await get(app, 'errors/other')).body).toEqual({
      statusCode: 500,
      message: 'Internal server error',
    });
    expect((await get(app, 'nowhere')).body).toMatchObject({ statusCode: 404, error: 'Not Found' });
  });

  it('may be bound to a controller, or made by hand with an adapter', async () => {
    const bound = await create(adapter());
    await bound.listen(0, '127.0.0.1');
    expect((await get(bound, 'bound/errors/FLOWRRA_ENGINE')).headers.get('retry-after')).toBe('5');
    expect((await get(bound, 'errors/FLOWRRA_ENGINE')).body).toMatchObject({ statusCode: 500 });

    const byHand = await create(adapter());
    byHand.useGlobalFilters(new FlowrraExceptionFilter(byHand.getHttpAdapter()));
    await byHand.listen(0, '127.0.0.1');
    expect((await get(byHand, 'errors/FLOWRRA_QUEUE_FULL')).headers.get('retry-after')).toBe('5');
  });
});

it('leaves messages of microservices and tasks as they are', async () => {
  @Injectable()
  class Work {
    @Task({ maxRetries: 0 })
    fails(): never {
      throw new EngineError('The disk is full.');
    }
  }
  @Module({
    imports: [FlowrraModule.forRoot({ globalEnhancers: true })],
    controllers: [Fails],
    providers: [everywhere, Work],
  })
  class Root {}
  const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
  open.push(app);
  const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const;
  const microservice = app.connectMicroservice(tcp, { inheritAppConfig: true });
  await app.init();
  await app.startAllMicroservices();
  const { port } = microservice.unwrap<{ address(): { port: number } }>().address();
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  await expect(firstValueFrom(client.send('fail', ''))).rejects.toEqual({
    status: 'error',
    message: 'Internal server error',
  });
  await client.close();

  const flowrra = app.get(FlowrraService);
  const { error } = await flowrra.waitForResult(await flowrra.submit('Work.fails'));
  expect(error).toBe('EngineError: The disk is full.');
});

it('answers over a web socket, whose errors Nest would drop', () => {
  const client = new EventEmitter();
  const received: unknown[] = [];
  client.on('exception', (body) => received.push(body));
  const host = new ExecutionContextHost([client, {}]);
  host.setType('ws');
  const filter = new FlowrraExceptionFilter();
  filter.catch(new ResultNotFoundError('No such job.'), host);
  filter.catch(new TaskNotFoundError('Known: Secret.task'), host);
  expect(received).toEqual([
    { status: 'error', code: 'FLOWRRA_RESULT_NOT_FOUND', message: 'No such job.' },
    { status: 'error', message: 'Internal server error' },
  ]);
});
