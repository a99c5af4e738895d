import {
  Get,
  Controller,
  Global,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutorNotRunningError, FlowrraModule, FlowrraService, Task } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { ManualClock } from '../support/manual-clock.js';

/** What happened, in order; one for each test. */
let log: string[] = [];
beforeEach(() => (log = []));

/** A database client as other modules have one: it opens and closes by Nest's hooks. */
@Injectable()
class Database implements OnModuleInit, OnModuleDestroy {
  open = false;

  async onModuleInit(): Promise<void> {
    this.open = true;
  }

  async onModuleDestroy(): Promise<void> {
    this.open = false;
    log.push('database closed');
  }
}

@Global()
@Module({ providers: [Database], exports: [Database] })
class DatabaseModule {}

@Injectable()
class Rows {
  gate = new Gate();

  constructor(private readonly database: Database) {}

  @Task()
  async write(row: string): Promise<boolean> {
    log.push(`${row} started`);
    await this.gate.passed;
    log.push(`${row} written, database ${this.database.open ? 'open' : 'closed'}`);
    return this.database.open;
  }
}

@Injectable()
class EarlyBird implements OnModuleInit {
  taskId = '';

  constructor(
    private readonly flowrra: FlowrraService,
    private readonly rows: Rows,
  ) {}

  async onModuleInit(): Promise<void> {
    this.taskId = await this.flowrra.submit(this.rows.write, 'early');
  }
}

@Injectable()
class SlowStarter implements OnModuleInit, OnApplicationBootstrap {
  async onModuleInit(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.push('slow module ready');
  }

  onApplicationBootstrap(): void {
    log.push('application bootstrapped');
  }
}

@Module({ providers: [Rows, EarlyBird], exports: [Rows] })
class RowsModule {}

@Module({ providers: [SlowStarter] })
class SlowModule {}

const quiet = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };

it.each([true, false])('starts last and drains first, isGlobal %p', async (isGlobal) => {
  const flowrraModule = FlowrraModule.forRoot({ isGlobal, numWorkers: 1 });

  @Module({ imports: isGlobal ? [RowsModule] : [flowrraModule, GloballyExported, RowsModule] })
  class Features {}
  @Module({
    imports: [DatabaseModule, flowrraModule, SlowModule, ...(isGlobal ? [Features] : [])],
    ...(isGlobal ? {} : { providers: [Rows] }),
  })
  class Root {}

  const app = await NestFactory.createApplicationContext(Root, quiet);
  const flowrra = app.get(FlowrraService, { strict: false });
  const rows = app.get(Rows, { strict: false });
  const ids = isGlobal ? [app.get(EarlyBird, { strict: false }).taskId] : [];
  ids.push(await flowrra.submit(rows.write, 'second'), await flowrra.submit(rows.write, 'third'));
  const closed = app.close();
  rows.gate.open();
  await closed;
  expect(log.indexOf('slow module ready')).toBe(0);
  expect(log.indexOf('application bootstrapped')).toBe(1);
  expect(log.filter((line) => line.endsWith('database open'))).toHaveLength(ids.length);
  expect(log.at(-1)).toBe('database closed');
});

@Global()
@Module({})
class GloballyExported {}

it('keeps a client of the root module open as well', async () => {
  @Module({ imports: [FlowrraModule.forRoot()], providers: [Database, Rows] })
  class Root {}

  const app = await NestFactory.createApplicationContext(Root, quiet);
  const rows = app.get(Rows);
  await app.get(FlowrraService).submit(rows.write, 'row');
  const closed = app.close();
  rows.gate.open();
  await closed;
  expect(log).toEqual(['row started', 'row written, database open', 'database closed']);
});

it('answers HTTP while it drains, and rejects submissions that it cannot keep', async () => {
  @Controller()
  class Web {
    constructor(
      private readonly flowrra: FlowrraService,
      private readonly rows: Rows,
    ) {}

    @Get()
    async submit(): Promise<string> {
      return this.flowrra.submit(this.rows.write, 'from http');
    }
  }
  @Module({
    imports: [DatabaseModule, FlowrraModule.forRoot({ numWorkers: 1 })],
    providers: [Rows],
    controllers: [Web],
  })
  class Root {}

  const app = await NestFactory.create(Root, quiet);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const rows = app.get(Rows);
  await app.get(FlowrraService).submit(rows.write, 'first');
  const closed = app.close();
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  rows.gate.open();
  await closed;
  expect(log).toEqual([
    'first started',
    'first written, database open',
    'from http started',
    'from http written, database open',
    'database closed',
  ]);
});

it('rejects submissions before it is connected and after the application has closed', async () => {
  @Injectable()
  class TooEarly {
    readonly outcome: Promise<unknown>;

    constructor(flowrra: FlowrraService) {
      flowrra.register({ name: 'noop' }, () => undefined);
      this.outcome = flowrra.submit('noop').catch((error: unknown) => error);
    }
  }
  const { app, flowrra } = await startApp({}, { providers: [TooEarly] });
  expect(await app.get(TooEarly).outcome).toBeInstanceOf(ExecutorNotRunningError);
  await app.close();
  await expect(flowrra.submit('noop')).rejects.toThrow(ExecutorNotRunningError);
});

it('warns once if nothing listens for the signals that end a process', async () => {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const { app } = await startApp({ clock });
  app.useLogger({ log: () => {}, error: () => {}, warn: (message: string) => warnings.push(message) });
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((signal) => ({
    signal,
    list: process.listeners(signal),
  }));
  for (const { signal } of listeners) process.removeAllListeners(signal);
  await clock.advance(60_000);
  for (const { signal, list } of listeners)
    for (const listener of list) process.on(signal, listener as () => void);
  expect(warnings).toEqual([expect.stringContaining('enableShutdownHooks')]);
  await app.close();
  expect(clock.armed).toBe(0);
});

it('does not warn when shutdown hooks are on', async () => {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const { app } = await startApp({ clock });
  app.useLogger({ log: () => {}, error: () => {}, warn: (message: string) => warnings.push(message) });
  app.enableShutdownHooks();
  await clock.advance(60_000);
  expect(warnings).toEqual([]);
  await app.close();
});
