import {
  type DynamicModule,
  type INestApplicationContext,
  Injectable,
  type LoggerService,
  Module,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { startLine, VERSION } from '../../lib/nest/start-line.js';
import { FlowrraModule, FlowrraService, Task } from '../../lib/index.js';
import { FlowrraTestingModule } from '../../lib/testing/index.js';
import { textOf } from '../readme/documents.js';
import { queueOf } from '../support/jobs.js';

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

@Injectable()
class Work {
  @Task()
  one(): void {}

  @Task({ queue: 'mail' })
  two(): void {}
}

/** Everything that Flowrra logs, each with its level. */
class Lines implements LoggerService {
  readonly received: string[] = [];
  log = (message: unknown, context: unknown): void => this.hear('log', message, context);
  warn = (message: unknown, context: unknown): void => this.hear('warn', message, context);
  error = (message: unknown, context: unknown): void => this.hear('error', message, context);

  private hear(level: string, message: unknown, context: unknown): void {
    if (context === 'Flowrra') this.received.push(`${level}: ${String(message)}`);
  }
}

function rootOf(flowrra: DynamicModule): new () => object {
  @Module({ imports: [flowrra], providers: [Work] })
  class Root {}
  return Root;
}

async function start(options: Parameters<typeof FlowrraModule.forRoot>[0]): Promise<Lines> {
  const logger = new Lines();
  const app = await NestFactory.createApplicationContext(rootOf(FlowrraModule.forRoot(options)), { logger });
  open.push(app);
  return logger;
}

it('logs one line at each start', async () => {
  const { received } = await start({
    numWorkers: 10,
    cpuWorkers: 2,
    queues: { mail: { concurrency: 3, fleetConcurrency: 5 } },
  });
  const line = `log: Started: engine memory, role all, queues default (10), cpu (2), mail (3, in all processes 5); 2 tasks; version ${VERSION}`;
  expect(received).toEqual([line]);
  const flowrra = (open[0] as INestApplicationContext).get(FlowrraService);
  await flowrra.start();
  expect(received).toEqual([line]);
  await flowrra.stop();
  await flowrra.start();
  expect(received).toEqual([line, line]);
});

it('names the version of the package', () => {
  expect(VERSION).toBe((JSON.parse(textOf('package.json')) as { version: string }).version);
});

it('says of a producer that it runs nothing, and shows no password', () => {
  const queues = [queueOf('default'), queueOf('mail')];
  expect(startLine({ engine: 'redis://:secret@host', role: 'producer', queues }, 'bullmq', 0)).toBe(
    `Started: engine redis, role producer (runs no jobs), queues default, mail; 0 tasks; version ${VERSION}`,
  );
});

it('counts queues instead of naming more than 20', () => {
  const queues = Array.from({ length: 23 }, (_, n) => queueOf(`q${n}`));
  const line = startLine({ engine: { name: 'own' } as never, role: 'worker', queues }, 'own', 1);
  expect(line).toMatch(
    /^Started: engine own, role worker, queues q0 \(1\), .*q19 \(1\), and 3 more; 1 task;/,
  );
});

it('says nothing in the test kit', async () => {
  const logger = new Lines();
  const module = await Test.createTestingModule({
    imports: [rootOf(FlowrraTestingModule.forRoot({ queues: { mail: {} } }))],
  })
    .setLogger(logger)
    .compile();
  open.push(await module.init());
  expect(logger.received).toEqual([]);
});
