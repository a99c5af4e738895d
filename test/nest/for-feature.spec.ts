import {
  type DynamicModule,
  type INestApplicationContext,
  Injectable,
  Module,
  type Type,
} from '@nestjs/common';
import { LazyModuleLoader, type ModuleRef, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  type FlowrraFeatureOptions,
  FlowrraModule,
  type FlowrraModuleOptions,
  FlowrraService,
  Task,
} from '../../lib/index.js';
import { FlowrraTestingModule } from '../../lib/testing/index.js';
import { Gate } from '../support/gate.js';

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** Counts how many of its jobs run at once. */
@Injectable()
class MailTasks {
  running = 0;
  readonly full = new Gate();
  readonly gate = new Gate();

  @Task({ queue: 'mail' })
  async send(): Promise<string> {
    if (++this.running === 3) this.full.open();
    await this.gate.passed;
    return 'sent';
  }
}

/** A feature module of that name. */
function feature(name: string, options: FlowrraFeatureOptions, providers: Type[] = []): Type {
  return moduleOf(name, [FlowrraModule.forFeature(options)], providers);
}

function moduleOf(name: string, imports: (Type | DynamicModule)[], providers: Type[] = []): Type {
  @Module({ imports, providers })
  class FeatureModule {}
  return Object.defineProperty(FeatureModule, 'name', { value: name });
}

async function start(
  imports: (Type | DynamicModule)[],
  options: FlowrraModuleOptions = {},
): Promise<FlowrraService> {
  return startWith(FlowrraModule.forRoot(options), imports);
}

async function startWith(root: DynamicModule, imports: (Type | DynamicModule)[]): Promise<FlowrraService> {
  const app = await NestFactory.createApplicationContext(moduleOf('Root', [...imports, root]), {
    logger: false,
    abortOnError: false,
  });
  open.push(app);
  return app.get(FlowrraService);
}

const MAIL = { queues: { mail: { concurrency: 3 } } };

describe('forFeature', () => {
  it('adds a queue with its concurrency to those of forRoot', async () => {
    const mail = feature('MailModule', MAIL, [MailTasks]);
    const flowrra = await start([mail], { queues: { reports: {} } });
    expect(flowrra.queues.names).toEqual(['default', 'cpu', 'reports', 'mail']);
    const tasks = (open[0] as INestApplicationContext).get(MailTasks, { strict: false });
    const ids = await flowrra.submitMany('MailTasks.send', [[], [], [], []]);
    await tasks.full.passed;
    expect((await flowrra.getResult(ids[3] as string))?.status).toBe('pending');
    tasks.gate.open();
    for (const id of ids) expect((await flowrra.waitForResult(id)).result).toBe('sent');
  });

  it('works with forRootAsync, whichever module comes first', async () => {
    const root = FlowrraModule.forRootAsync({
      useFactory: () => Promise.resolve({ queues: { reports: {} } }),
    });
    const flowrra = await startWith(root, [
      feature('MailModule', MAIL),
      feature('AudioModule', { queues: { audio: {} } }),
    ]);
    expect(flowrra.queues.names).toEqual(['default', 'cpu', 'reports', 'mail', 'audio']);
  });

  it('knows its queues before the start: remote tasks and functions name them', async () => {
    @Injectable()
    class Early {
      constructor(flowrra: FlowrraService) {
        flowrra.register({ name: 'early', queue: 'mail' }, () => 'done');
      }
    }
    const flowrra = await start([feature('MailModule', MAIL, [Early])], {
      remoteTasks: { 'Other.task': { queue: 'mail' } },
    });
    expect((await flowrra.waitForResult(await flowrra.submit('early'))).result).toBe('done');
  });

  it('may be imported several times, with the same options', async () => {
    const shared = FlowrraModule.forFeature(MAIL);
    const flowrra = await start(
      [
        moduleOf('OneModule', [shared]),
        moduleOf('TwoModule', [shared]),
        feature('ThreeModule', { queues: { mail: { concurrency: 3, fleetConcurrency: Infinity } } }),
      ],
      MAIL,
    );
    expect(flowrra.queues.names).toEqual(['default', 'cpu', 'mail']);
  });

  it('is rejected in an application without forRoot()', async () => {
    const module = Test.createTestingModule({ imports: [feature('MailModule', MAIL)] });
    await expect(module.compile()).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringContaining('forFeature() is imported without FlowrraModule.forRoot()') as string,
    });
  });

  it('is read anew by each application of a process', async () => {
    const mail = feature('MailModule', MAIL);
    expect((await start([mail])).queues.names).toEqual(['default', 'cpu', 'mail']);
    expect((await start([])).queues.names).toEqual(['default', 'cpu']);
    const two = await start([mail, feature('AudioModule', { queues: { audio: {} } })]);
    expect(two.queues.names).toEqual(['default', 'cpu', 'mail', 'audio']);
  });

  it.each<[string, Type[], FlowrraModuleOptions, string]>([
    [
      'a queue of two features',
      [feature('MailModule', MAIL), feature('NewsModule', { queues: { mail: { concurrency: 5 } } })],
      {},
      "Queue 'mail' is declared twice with different options: by forFeature() in MailModule with { concurrency: 3 }, by forFeature() in NewsModule with { concurrency: 5 }.",
    ],
    [
      'a queue of forRoot',
      [feature('MailModule', { queues: { mail: { concurrency: 3, rateLimit: { max: 1, per: '1s' } } } })],
      MAIL,
      'by forRoot() with { rateLimit: null }, by forFeature() in MailModule with { rateLimit: { max: 1, per: 1000 } }',
    ],
    [
      'the default queue',
      [feature('MailModule', { queues: { default: { concurrency: 3 } } })],
      {},
      'forFeature() in MailModule: queues.default',
    ],
    [
      'an option of a queue',
      [feature('MailModule', { queues: { mail: { concurrency: 0 } } })],
      {},
      'forFeature() in MailModule: queues.mail.concurrency: 0 is not valid.',
    ],
    [
      'an unknown option',
      [feature('MailModule', { queue: {} } as never)],
      {},
      "forFeature() in MailModule: unknown option 'queue' (given an object). Did you mean 'queues'?",
    ],
    ['no options', [feature('MailModule', undefined as never)], {}, 'forFeature() in MailModule: undefined'],
    [
      'no queues',
      [feature('MailModule', {} as never)],
      {},
      'forFeature() in MailModule: queues: undefined is not valid.',
    ],
  ])('fails the start: %s', async (_what, imports, options, message) => {
    await expect(start(imports, options)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringContaining(message) as string,
    });
  });

  it('runs under the test kit', async () => {
    const imports = [feature('MailModule', MAIL, [MailTasks]), FlowrraTestingModule.forRoot()];
    const module = await Test.createTestingModule({ imports }).compile();
    open.push(await module.init());
    expect(FlowrraTestingModule.of(module).queues.names).toEqual(['default', 'cpu', 'mail']);
  });

  it('runs in a whole application under the test kit', async () => {
    const imports = [
      feature('MailModule', MAIL, [MailTasks]),
      FlowrraModule.forRoot({ engine: 'redis://nowhere' }),
    ];
    const module = await FlowrraTestingModule.override(Test.createTestingModule({ imports })).compile();
    open.push(await module.init());
    const flowrra = FlowrraTestingModule.of(module);
    module.get(MailTasks, { strict: false }).gate.open();
    const id = await flowrra.tasks(MailTasks).send();
    await flowrra.drain();
    expect((await flowrra.getResult(id))?.result).toBe('sent');
  });

  describe('in a module that is loaded lazily', () => {
    const load = async (flowrra: FlowrraService, lazy: Type): Promise<ModuleRef> => {
      const loaded = await (open[0] as INestApplicationContext).get(LazyModuleLoader).load(() => lazy);
      flowrra.discover();
      return loaded;
    };

    it('repeats queues of the start', async () => {
      const flowrra = await start([], MAIL);
      const loaded = await load(flowrra, feature('MailModule', MAIL, [MailTasks]));
      loaded.get(MailTasks).gate.open();
      const id = await flowrra.submit('MailTasks.send');
      expect((await flowrra.waitForResult(id)).result).toBe('sent');
    });

    it('cannot add one', async () => {
      const flowrra = await start([]);
      await expect(load(flowrra, feature('MailModule', MAIL, [MailTasks]))).rejects.toThrow(
        'queues.mail: a module that is loaded lazily cannot add a queue',
      );
      expect(flowrra.queues.names).toEqual(['default', 'cpu']);
    });

    it('cannot change one', async () => {
      const flowrra = await start([], { queues: { mail: {} } });
      await expect(load(flowrra, feature('MailModule', MAIL))).rejects.toThrow(
        'by forRoot() with { concurrency: 1 }, by forFeature() in MailModule with { concurrency: 3 }',
      );
    });
  });
});
