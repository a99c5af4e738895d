import 'reflect-metadata';
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Engine, FlowrraModule, type FlowrraModuleOptions, FlowrraService } from 'flowrra';
import { CHECKS } from './checks.js';
import { betterSqlite, type EngineUnderTest, memory, postgres, redis } from './engines.js';
import { checkHttp } from './http.js';
import { Polite, Tasks } from './tasks.js';

const QUEUES = {
  hanging: {},
  ordered: { concurrency: 1 },
  limited: { rateLimit: { max: 1, per: 50 }, fleetRateLimit: { max: 2, per: 100 } },
};

function start(options: FlowrraModuleOptions, providers: (typeof Tasks | typeof Polite)[]) {
  @Module({ imports: [FlowrraModule.forRoot({ ...options, cpuWorkers: 1, queues: QUEUES })], providers })
  class AppModule {}
  return NestFactory.createApplicationContext(AppModule, { logger: ['error'], abortOnError: false });
}

async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new Error(`${name} failed`, { cause: error });
  }
}

/** Submits in an application that runs no jobs and is closed before the worker starts. */
async function submitAhead(engine: Engine): Promise<string> {
  const app = await start({ engine, role: 'producer', remoteTasks: { 'Tasks.greet': {} } }, []);
  const id = await app.get(FlowrraService).submit('Tasks.greet', 'Grace');
  await app.close();
  return id;
}

async function close(app: INestApplicationContext): Promise<void> {
  const flowrra = app.get(FlowrraService);
  flowrra.register({ name: 'late' }, () => new Promise((resolve) => setImmediate(resolve)));
  const ended: string[] = [];
  flowrra.events$.subscribe((event) => {
    if (event.type === 'succeeded' || event.type === 'released') ended.push(event.type);
  });
  const started = new Promise<void>((resolve) => {
    flowrra.events$.subscribe(({ type, taskName }) => type === 'started' && taskName === 'late' && resolve());
  });
  await flowrra.submit('late');
  await started;
  await app.close();
  deepEqual(ended, ['succeeded']);
  await rejects(flowrra.submit('late'), { code: 'FLOWRRA_NOT_RUNNING' });
}

async function checkEngine(engine: EngineUnderTest): Promise<void> {
  const { producer } = engine;
  const ahead = producer && (await step('submit by a producer', () => submitAhead(producer())));
  const app = await step('start', () => start({ engine: engine.worker() }, [Tasks, Polite]));
  const subject = { flowrra: app.get(FlowrraService), tasks: app.get(Tasks) };
  if (ahead !== undefined) {
    await step('run the job of a producer', async () =>
      equal((await subject.flowrra.waitForResult(ahead)).status, 'success'),
    );
  }
  for (const [name, check] of Object.entries(CHECKS)) await step(name, () => check(subject));
  await step('close', () => close(app));
  await engine.cleanUp?.();
}

function serverUrl(variable: string): string {
  const url = process.env[variable];
  if (url === undefined) throw new Error(`The environment variable ${variable} is not set`);
  return url;
}

const engines = [
  memory(),
  betterSqlite(),
  redis(serverUrl('FLOWRRA_TEST_REDIS_URL')),
  postgres(serverUrl('FLOWRRA_TEST_POSTGRES_URL')),
];
try {
  for (const engine of engines) {
    const began = performance.now();
    await step(engine.name, () => checkEngine(engine));
    console.log(`  ${engine.name}: passed in ${Math.round(performance.now() - began)} ms`);
  }
  await step('HTTP, health and telemetry', checkHttp);
  console.log('  HTTP, health and telemetry: passed');
} catch (error) {
  // Applications of the failed check are still running, so the process would not end by itself.
  console.error(error);
  process.exit(1);
}
// The process ends here by itself: every application has closed its connections and threads.
