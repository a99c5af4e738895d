import {
  Controller,
  Delete,
  Get,
  type INestApplication,
  type INestApplicationContext,
  Injectable,
  Module,
  Param,
  Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  FlowrraModule,
  FlowrraService,
  Task,
  type TaskContext,
  TaskCtx,
  type FinishedTaskResult,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { settle } from '../support/manual-clock.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';

let running: Gate;
let gate: Gate;
beforeEach(() => {
  running = new Gate();
  gate = new Gate();
});

@Injectable()
class Images {
  @Task()
  resize(name: string): string {
    return `${name}, small`;
  }

  @Task({ killGrace: '10s' })
  async slow(name: string, @TaskCtx() { signal }: TaskContext): Promise<string> {
    const cancelled = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
    running.open();
    await Promise.race([gate.passed, cancelled]);
    return `${name}, at last`;
  }
}

@Controller('images')
class ImagesController {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly images: Images,
  ) {}

  @Post('slow/:name')
  slow(@Param('name') name: string): Promise<string> {
    return this.flowrra.submit(this.images.slow, name);
  }

  @Post(':name')
  resize(@Param('name') name: string): Promise<string> {
    return this.flowrra.submit(this.images.resize, name);
  }

  @Get(':id')
  wait(@Param('id') id: string): Promise<FinishedTaskResult> {
    return this.flowrra.waitForResult(id);
  }

  @Delete(':id')
  async cancel(@Param('id') id: string): Promise<string> {
    return String(await this.flowrra.cancel(id, { reason: 'not needed any more' }));
  }
}

@Module({ providers: [Images], exports: [Images] })
class ImagesModule {}

const quiet = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
const open: INestApplicationContext[] = [];
let file: string;
let web: INestApplication;
let seenByWeb: string[];

beforeEach(async () => {
  file = tempFile();
  @Module({
    imports: [FlowrraModule.forRoot({ engine: sqliteEngine({ file }), role: 'producer' }), ImagesModule],
    controllers: [ImagesController],
  })
  class Web {}
  web = await NestFactory.create(Web, quiet);
  open.push(web);
  await web.listen(0, '127.0.0.1');
  seenByWeb = [];
  web.get(FlowrraService).events$.subscribe(({ type }) => seenByWeb.push(type));
});
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function startWorker(): Promise<INestApplicationContext> {
  @Module({
    imports: [FlowrraModule.forRoot({ engine: sqliteEngine({ file }), role: 'worker' }), ImagesModule],
  })
  class Worker {}
  const worker = await NestFactory.createApplicationContext(Worker, quiet);
  open.push(worker);
  return worker;
}

const ask = async (method: string, path: string): Promise<string> =>
  (await fetch(`${await web.getUrl()}/images/${path}`, { method })).text();
const result = async (id: string) => JSON.parse(await ask('GET', id)) as { status: string; result: unknown };

it('the server takes jobs, a worker that is started later runs them, and the server has their results', async () => {
  const ids = [await ask('POST', 'cat'), await ask('POST', 'dog')];
  const server = web.get(FlowrraService);
  expect(await server.pendingCount()).toBe(2);
  const worker = await startWorker();
  const seenByWorker: string[] = [];
  worker.get(FlowrraService).events$.subscribe(({ type }) => seenByWorker.push(type));
  expect(await result(ids[0] as string)).toMatchObject({ status: 'success', result: 'cat, small' });
  expect(await result(ids[1] as string)).toMatchObject({ status: 'success', result: 'dog, small' });
  const id = await ask('POST', 'bird');
  expect(await result(id)).toMatchObject({ status: 'success', result: 'bird, small' });
  // Each hears what happens in itself.
  expect(new Set(seenByWeb)).toEqual(new Set(['submitted']));
  expect(seenByWorker).not.toContain('submitted');
  expect(seenByWorker).toContain('succeeded');
});

it('the server cancels a job that a worker runs', async () => {
  await startWorker();
  const id = await ask('POST', 'slow/cat');
  await running.passed;
  expect(await ask('DELETE', id)).toBe('true');
  expect(await result(id)).toMatchObject({ status: 'cancelled', error: 'not needed any more' });
});

it('a closing worker ends its running jobs, and leaves waiting jobs to the next worker', async () => {
  const first = await startWorker();
  const slow = await ask('POST', 'slow/cat');
  await running.passed;
  const closed = first.close();
  while (first.get(FlowrraService).isRunning) await settle();
  const waits = await ask('POST', 'dog');
  gate.open();
  await closed;
  expect(await result(slow)).toMatchObject({ result: 'cat, at last' });
  expect((await web.get(FlowrraService).getResult(waits))?.status).toBe('pending');
  await startWorker();
  expect(await result(waits)).toMatchObject({ result: 'dog, small' });
});

it('a server that closes first leaves its jobs to the worker', async () => {
  const worker = await startWorker();
  const id = await ask('POST', 'slow/cat');
  await running.passed;
  await web.close();
  gate.open();
  const finished = await worker.get(FlowrraService).waitForResult(id);
  expect(finished.result).toBe('cat, at last');
});
