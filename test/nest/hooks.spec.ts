import {
  Global,
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutorNotRunningError, FlowrraModule, FlowrraService, Task } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';

/** What happened, in order; one for each test. */
let log: string[] = [];
beforeEach(() => (log = []));

@Injectable()
class Work {
  @Task()
  note(by: string): void {
    log.push(`ran ${by}`);
  }
}

@Module({ providers: [Work] })
class WorkModule {}

/** Says when its hooks are called, and submits a job in each of them. */
@Injectable()
abstract class Everywhere
  implements
    OnModuleInit,
    OnApplicationBootstrap,
    OnModuleDestroy,
    BeforeApplicationShutdown,
    OnApplicationShutdown
{
  constructor(private readonly flowrra: FlowrraService) {}

  onModuleInit(): Promise<void> {
    return this.submit('init');
  }

  onApplicationBootstrap(): Promise<void> {
    return this.submit('bootstrap');
  }

  onModuleDestroy(): Promise<void> {
    return this.submit('destroy');
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.submit('before shutdown');
  }

  onApplicationShutdown(): Promise<void> {
    return this.submit('shutdown');
  }

  private async submit(hook: string): Promise<void> {
    const by = `${this.constructor.name} ${hook}`;
    try {
      await this.flowrra.submit('Work.note', by);
      log.push(`${by}: accepted`);
    } catch (error) {
      if (!(error instanceof ExecutorNotRunningError)) throw error;
      log.push(`${by}: rejected`);
    }
  }
}

@Injectable()
class Feature extends Everywhere {}
@Module({ providers: [Feature] })
class FeatureModule {}

@Injectable()
class Dependent extends Everywhere {}
@Module({ imports: [FeatureModule], providers: [Dependent] })
class DependentModule {}

@Injectable()
class Shared extends Everywhere {}
@Global()
@Module({ providers: [Shared] })
class SharedModule {}

@Injectable()
class InRoot extends Everywhere {}

const HOOKS = ['init', 'bootstrap', 'destroy', 'before shutdown', 'shutdown'] as const;
const EVERYBODY: Type[] = [Shared, Feature, Dependent, InRoot];

const quiet = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };

/** Who was answered so, in which of their hooks. */
function answered(answer: 'accepted' | 'rejected'): string[] {
  return log.filter((line) => line.endsWith(`: ${answer}`)).map((line) => line.slice(0, -answer.length - 2));
}

function inHooks(...hooks: (typeof HOOKS)[number][]): string[] {
  return hooks.flatMap((hook) => EVERYBODY.map(({ name }) => `${name} ${hook}`));
}

function ran(): string[] {
  return log.filter((line) => line.startsWith('ran ')).map((line) => line.slice('ran '.length));
}

/** The place of the first line of this kind, or of the last one. */
const first = (part: string): number => log.findIndex((line) => line.includes(part));
const last = (part: string): number => log.findLastIndex((line) => line.includes(part));

/** Modules of each kind, around Flowrra: where it stands among the imports must not matter. */
const roots: Record<string, (flowrra: ReturnType<typeof FlowrraModule.forRoot>) => Type> = {
  'imported first': (flowrra) => {
    @Module({
      imports: [flowrra, SharedModule, WorkModule, FeatureModule, DependentModule],
      providers: [InRoot],
    })
    class Root {}
    return Root;
  },
  'imported last, after another global module': (flowrra) => {
    @Module({
      imports: [SharedModule, WorkModule, DependentModule, FeatureModule, flowrra],
      providers: [InRoot],
    })
    class Root {}
    return Root;
  },
  'in a root module that is global itself': (flowrra) => {
    @Global()
    @Module({ imports: [WorkModule, DependentModule, SharedModule, flowrra], providers: [InRoot] })
    class Root {}
    return Root;
  },
  'in a module of the root module': (flowrra) => {
    @Module({ imports: [flowrra] })
    class Tasks {}
    @Module({ imports: [SharedModule, WorkModule, DependentModule, Tasks], providers: [InRoot] })
    class Root {}
    return Root;
  },
};

describe.each(Object.keys(roots))('%s', (place) => {
  const root = roots[place] as (typeof roots)[string];

  it('memory: accepts jobs from onModuleInit on, and runs all accepted jobs before the hooks of the shutdown', async () => {
    const app = await NestFactory.createApplicationContext(root(FlowrraModule.forRoot()), quiet);
    await app.close();
    expect(answered('accepted').sort()).toEqual(inHooks('init', 'bootstrap').sort());
    expect(answered('rejected').sort()).toEqual(inHooks('destroy', 'before shutdown', 'shutdown').sort());
    expect(ran().sort()).toEqual(inHooks('init', 'bootstrap').sort());
    expect(first('ran ')).toBeGreaterThan(last('bootstrap: '));
    expect(last('ran ')).toBeLessThan(first('destroy: '));
  });

  it('SQLite: takes jobs until the very end, and runs those of the shutdown at the next start', async () => {
    const file = tempFile();
    const start = () =>
      NestFactory.createApplicationContext(
        root(FlowrraModule.forRoot({ engine: sqliteEngine({ file }) })),
        quiet,
      );
    await (await start()).close();
    expect(answered('accepted').sort()).toEqual(inHooks(...HOOKS).sort());
    expect(answered('rejected')).toEqual([]);
    const before = ran();
    if (before.length > 0) expect(last('ran ')).toBeLessThan(first('destroy: '));

    log = [];
    const again = await start();
    const flowrra = again.get(FlowrraService);
    await flowrra.waitForResult(await flowrra.with({ priority: 9 }).submit('Work.note', 'marker'));
    await again.close();
    const ofBothStarts = [...before, ...ran()].filter((by) => by !== 'marker');
    expect(ofBothStarts.sort()).toEqual(expect.arrayContaining(inHooks(...HOOKS).sort()));
  });
});

it('no hook of another module is called while running jobs are drained', async () => {
  const gate = new Gate();
  const running = new Gate();
  @Injectable()
  class Slow {
    @Task()
    async work(): Promise<void> {
      running.open();
      await gate.passed;
      log.push('drained');
    }
  }
  @Global()
  @Module({ imports: [FlowrraModule.forRoot(), FeatureModule, WorkModule], providers: [Slow, InRoot] })
  class Root {}
  const app = await NestFactory.createApplicationContext(Root, quiet);
  await app.get(FlowrraService).submit(app.get(Slow).work);
  await running.passed;
  const closed = app.close();
  gate.open();
  await closed;
  expect(first('drained')).toBeLessThan(first('destroy'));
});

it('a hook that fails at the shutdown keeps no job from being drained', async () => {
  @Injectable()
  class Broken implements OnModuleDestroy {
    onModuleDestroy(): void {
      throw new Error('cannot close');
    }
  }
  @Module({
    imports: [FlowrraModule.forRoot(), WorkModule],
    providers: [Broken, InRoot],
  })
  class Root {}
  const app = await NestFactory.createApplicationContext(Root, { ...quiet, logger: false });
  await app.close().catch(() => undefined);
  expect(ran()).toEqual(['InRoot init', 'InRoot bootstrap']);
});
