import {
  Controller,
  type INestApplication,
  Injectable,
  type MessageEvent,
  Module,
  Param,
  Sse,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Observable } from 'rxjs';
import {
  FlowrraExceptionFilter,
  FlowrraModule,
  FlowrraService,
  Task,
  TaskContext,
  TaskCtx,
  toMessageEvents,
  type TaskUpdate,
} from '../../lib/index.js';
import { follow } from '../../sample-app/tasks/follow.js';
import { StreamedEvents } from '../support/event-source.js';
import { Gate } from '../support/gate.js';
import { ManualClock } from '../support/manual-clock.js';
import { sqliteEngine } from '../support/sqlite.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  readonly gate = new Gate();

  @Task()
  async steps(@TaskCtx() ctx: TaskContext): Promise<string> {
    ctx.log('first\nline');
    ctx.progress(0.5);
    await this.gate.passed;
    return 'done';
  }
}

@Controller('jobs')
class Jobs {
  constructor(private readonly flowrra: FlowrraService) {}

  @Sse(':id')
  watch(@Param('id') id: string): Observable<MessageEvent> {
    return this.flowrra.watch(id).pipe(toMessageEvents);
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

async function start(platform: 'express' | 'fastify' = 'express') {
  const clock = new ManualClock();
  @Module({
    imports: [FlowrraModule.forRoot({ engine: sqliteEngine(), clock, shutdownTimeout: 0 })],
    controllers: [Jobs],
    providers: [Work, { provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
  })
  class App {}
  const app =
    platform === 'express'
      ? await NestFactory.create(App, { logger: false })
      : await NestFactory.create(App, new FastifyAdapter(), { logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/jobs`;
  return { app, clock, url, flowrra: app.get(FlowrraService), work: app.get(Work) };
}

function open(url: string) {
  const source = new StreamedEvents(url);
  const shown: { update: TaskUpdate; lines: string[] }[] = [];
  follow(source, (update, lines) => shown.push({ update, lines: [...lines] }));
  return { source, shown };
}

it.each(['express', 'fastify'] as const)('streams a job to its end over HTTP with %s', async (platform) => {
  const { clock, url, flowrra, work } = await start(platform);
  const before = clock.armed;
  const id = await flowrra.submit(work.steps);
  const { source, shown } = open(`${url}/${id}`);
  await until(() => shown.length > 0, { describe: 'the present state' });
  // Reports are stored at most every 250 ms.
  await clock.advance(250);
  await until(() => shown.at(-1)?.update.progress === 0.5, { describe: 'progress' });
  expect(shown.at(-1)).toMatchObject({ update: { status: 'running' }, lines: ['first\nline'] });
  work.gate.open();
  expect(await source.ended).toBe('by the client');
  expect(shown.at(-1)).toMatchObject({
    update: { taskId: id, status: 'success', result: 'done', isComplete: true },
    lines: ['first\nline'],
  });
  await until(() => clock.armed === before, { describe: 'no timer is left' });
});

it.each(['express', 'fastify'] as const)(
  'a client that disconnects unsubscribes, with %s',
  async (platform) => {
    const { clock, url, flowrra, work } = await start(platform);
    const id = await flowrra.with({ delay: '1h' }).submit(work.steps);
    await clock.advance(0);
    const before = clock.armed;
    const clients = [open(`${url}/${id}`), open(`${url}/${id}`)];
    for (const { shown } of clients) await until(() => shown.length === 1, { describe: 'the present state' });
    expect(clock.armed).toBeGreaterThan(before);
    for (const { source } of clients) source.close();
    await until(() => clock.armed === before, { describe: 'no timer is left' });
    for (const { source } of clients) expect(await source.ended).toBe('by the client');
  },
);

it('an unknown id is answered as the exception filter says', async () => {
  const { url } = await start();
  const response = await fetch(`${url}/unknown`);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'FLOWRRA_RESULT_NOT_FOUND' });
});

it('an open stream does not hold up the stop of the application, and ends without an error', async () => {
  const { app, url, flowrra, work } = await start();
  const { source, shown } = open(`${url}/${await flowrra.with({ delay: '1h' }).submit(work.steps)}`);
  await until(() => shown.length === 1, { describe: 'the present state' });
  await app.close();
  expect(await source.ended).toBe('by the server');
  expect(source.others).toEqual([]);
  expect(shown).toHaveLength(1);
});

it('a stop before the first update is an error', async () => {
  const { app, flowrra, work } = await start();
  const id = await flowrra.submit(work.steps);
  await flowrra.stop({ wait: false });
  const errors: unknown[] = [];
  toMessageEvents(flowrra.watch(id)).subscribe({ error: (error) => errors.push(error) });
  expect(errors).toMatchObject([{ code: 'FLOWRRA_NOT_RUNNING' }]);
  await app.close();
});
