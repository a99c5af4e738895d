import {
  Get,
  Controller,
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ExecutorNotRunningError,
  FlowrraConfigError,
  FlowrraModule,
  FlowrraService,
  InMemoryBackend,
  ResultBackend,
  Task,
} from '../../lib/index.js';
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

it('answers HTTP while it drains, and refuses loudly what it could not keep', async () => {
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

it('refuses submissions before it is connected and after the application has closed', async () => {
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

describe('forRootAsync', () => {
  const run = async (module: ReturnType<typeof FlowrraModule.forRootAsync>): Promise<unknown> => {
    @Module({ imports: [module] })
    class Root {}
    const app = await NestFactory.createApplicationContext(Root, quiet);
    const flowrra = app.get(FlowrraService);
    flowrra.register({ name: 'echo' }, (value: unknown) => value);
    const [, second] = await Promise.all([
      flowrra.submit('echo', 1),
      flowrra.submit('echo', 2).catch((error: Error) => error.name),
    ]);
    await app.close();
    return second;
  };
  @Injectable()
  class Options {
    createFlowrraOptions() {
      return { maxPending: 1, whenFull: 'reject' as const };
    }
  }
  @Module({ providers: [Options], exports: [Options] })
  class OptionsModule {}

  it('takes a factory with injected providers', async () => {
    expect(
      await run(
        FlowrraModule.forRootAsync({
          imports: [OptionsModule],
          inject: [Options],
          useFactory: (options: Options) => options.createFlowrraOptions(),
        }),
      ),
    ).toBe('QueueFullError');
  });

  it('takes a class, and an existing provider', async () => {
    expect(await run(FlowrraModule.forRootAsync({ useClass: Options }))).toBe('QueueFullError');
    expect(await run(FlowrraModule.forRootAsync({ imports: [OptionsModule], useExisting: Options }))).toBe(
      'QueueFullError',
    );
  });

  it('fails the start with what is wrong', async () => {
    await expect(
      run(FlowrraModule.forRootAsync({ useFactory: () => ({ numWorker: 3 }) as object })),
    ).rejects.toThrow(FlowrraConfigError);
    await expect(
      run(FlowrraModule.forRootAsync({ useFactory: () => ({ numWorker: 3 }) as object })),
    ).rejects.toThrow(/numWorker.*numWorkers/s);
  });
});

describe('a configured backend', () => {
  it('is made by Nest, if it is a class, and hears every change in order', async () => {
    const heard: string[] = [];
    @Injectable()
    class Journal extends InMemoryBackend {
      constructor(@Inject('JOURNAL') private readonly journal: string[]) {
        super();
      }

      override store(...[taskId, result]: Parameters<ResultBackend['store']>): void {
        this.journal.push(result.status);
        super.store(taskId, result);
      }
    }
    @Global()
    @Module({ providers: [{ provide: 'JOURNAL', useValue: heard }], exports: ['JOURNAL'] })
    class JournalModule {}
    const { app, flowrra } = await startApp({ backend: Journal }, { imports: [JournalModule] });
    let attempts = 0;
    flowrra.register({ name: 'flaky', retryDelay: 0 }, () => {
      if (++attempts === 1) throw new Error('once');
      return 'done';
    });
    const id = await flowrra.submit('flaky');
    expect((await flowrra.waitForResult(id)).result).toBe('done');
    expect(heard).toEqual(['pending', 'running', 'retrying', 'running', 'success']);
    await app.close();
  });

  it('that fails is tried again, that hangs is given up on, and the job runs to its end', async () => {
    const clock = new ManualClock();
    const backend = new InMemoryBackend({ clock });
    const store = backend.store.bind(backend);
    const { app, flowrra } = await startApp({ backend, clock });
    flowrra.register({ name: 'work' }, () => 'done');
    let mode: 'fails' | 'hangs' | 'works' = 'works';
    backend.store = (taskId, result) => {
      if (mode === 'fails' && result.status !== 'pending') throw new Error('the backend is down');
      if (mode === 'hangs' && result.status !== 'pending') return new Promise<void>(() => {}) as never;
      return store(taskId, result);
    };
    for (const trouble of ['fails', 'hangs'] as const) {
      mode = trouble;
      const id = await flowrra.submit('work');
      await clock.advance(20_000);
      expect((await flowrra.getResult(id))?.status).toBe('pending');
      mode = 'works';
      await clock.advance(60_000);
      expect((await flowrra.getResult(id))?.result).toBe('done');
    }
    await app.close();
  });

  it('that cannot record a job refuses the submission, and the job does not run', async () => {
    const backend = new InMemoryBackend();
    backend.store = () => {
      throw new Error('read-only');
    };
    const { app, flowrra } = await startApp({ backend });
    let ran = false;
    flowrra.register({ name: 'work' }, () => (ran = true));
    await expect(flowrra.submit('work')).rejects.toMatchObject({
      code: 'FLOWRRA_BACKEND',
      cause: new Error('read-only'),
    });
    await app.close();
    expect(ran).toBe(false);
  });
});
