import { jest } from '@jest/globals';
import { Controller, Inject, Injectable, Logger, Module, type ModuleMetadata, Scope } from '@nestjs/common';
import { LazyModuleLoader, REQUEST } from '@nestjs/core';
import {
  FlowrraConfigError,
  FlowrraService,
  Task,
  TaskContext,
  TaskCtx,
  TaskNotFoundError,
  type FlowrraModuleOptions,
} from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

let open: TestApp[] = [];
async function start(metadata: ModuleMetadata, options: FlowrraModuleOptions = {}): Promise<FlowrraService> {
  const started = await startApp(options, metadata);
  open.push(started);
  return started.flowrra;
}
afterEach(async () => {
  for (const { app } of open.splice(0)) await app.close();
  open = [];
});

async function run(flowrra: FlowrraService, name: string, ...args: unknown[]): Promise<unknown> {
  const result = await flowrra.waitForResult(await flowrra.submit(name, ...args));
  if (!result.isSuccess) throw new Error(result.error ?? 'no error');
  return result.result;
}

/** A decorator that wraps the method, as logging or tracing ones do. */
function Twice(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      return [original.apply(this, args), original.apply(this, args)];
    };
  };
}

@Injectable()
class Base {
  @Task()
  name(): string {
    return this.constructor.name;
  }

  @Task()
  overridden(): string {
    return 'base';
  }
}

@Injectable()
class First extends Base {
  override overridden(): string {
    return `first, not ${super.overridden()}`;
  }
}

@Injectable()
class Second extends Base {}

describe('which methods are tasks', () => {
  it('those of providers and controllers', async () => {
    @Controller()
    class Web {
      @Task()
      fromController(): string {
        return 'controller';
      }
    }
    const flowrra = await start({ providers: [First], controllers: [Web] });
    expect(await run(flowrra, 'Web.fromController')).toBe('controller');
  });

  it('inherited ones, under the name of each subclass, and what a subclass makes of them', async () => {
    const flowrra = await start({ providers: [First, Second] });
    expect(await run(flowrra, 'First.name')).toBe('First');
    expect(await run(flowrra, 'Second.name')).toBe('Second');
    expect(await run(flowrra, 'First.overridden')).toBe('first, not base');
    expect((await flowrra.waitForResult(await flowrra.tasks(Second).name())).result).toBe('Second');
  });

  it('those of factories, values, classes under a token and aliases', async () => {
    class Made {
      constructor(private readonly by: string) {}

      @Task()
      by_(): string {
        return this.by;
      }
    }
    class Valued extends Made {}
    abstract class Port {
      abstract by_(): string;
    }
    @Injectable()
    class Adapter extends Made {
      constructor() {
        super('class');
      }
    }
    const flowrra = await start({
      providers: [
        { provide: 'FACTORY', useFactory: () => new Made('factory') },
        { provide: 'VALUE', useValue: new Valued('value') },
        { provide: Port, useClass: Adapter },
        { provide: 'ALIAS', useExisting: Port },
      ],
    });
    expect(await run(flowrra, 'Made.by_')).toBe('factory');
    expect(await run(flowrra, 'Valued.by_')).toBe('value');
    expect((await flowrra.waitForResult(await flowrra.tasks(Port).by_())).result).toBe('class');
    expect((await flowrra.waitForResult(await flowrra.tasks(Adapter).by_())).result).toBe('class');
  });

  it('survives providers of every odd kind', async () => {
    const trap = new Proxy(
      {},
      {
        get(_target, key) {
          // What Nest itself reads of every provider.
          if (
            key === 'then' ||
            key === 'constructor' ||
            typeof key === 'symbol' ||
            key.startsWith('on') ||
            key.startsWith('before')
          )
            return undefined;
          throw new Error(`nobody may read ${key}`);
        },
      },
    );
    const flowrra = await start({
      providers: [
        First,
        { provide: 'NULL_PROTOTYPE', useValue: Object.create(null) },
        { provide: 'NULL', useValue: null },
        { provide: 'UNDEFINED', useValue: undefined },
        { provide: 'NUMBER', useValue: 7 },
        { provide: 'CLASS', useValue: Base },
        { provide: 'TRAP', useFactory: () => trap },
      ],
    });
    expect(await run(flowrra, 'First.name')).toBe('First');
  });

  it('a provider in several modules is one task', async () => {
    @Module({ providers: [First] })
    class One {}
    @Module({ providers: [First] })
    class Two {}
    const flowrra = await start({ imports: [One, Two] });
    expect(await run(flowrra, 'First.name')).toBe('First');
  });

  it('those that other decorators wrap, from outside and from inside', async () => {
    @Injectable()
    class Wrapped {
      @Twice()
      @Task()
      outside(): number {
        return 1;
      }

      @Task()
      @Twice()
      inside(): number {
        return 2;
      }
    }
    const flowrra = await start({ providers: [Wrapped] });
    const { app } = open.at(-1) as TestApp;
    const wrapped = app.get(Wrapped);
    expect((await flowrra.waitForResult(await flowrra.submit(wrapped.outside))).result).toEqual([1, 1]);
    expect((await flowrra.waitForResult(await flowrra.submit(wrapped.inside))).result).toEqual([2, 2]);
  });

  it('those of a module that was loaded lazily, after discover()', async () => {
    @Injectable()
    class Lazy {
      @Task()
      late(): string {
        return 'lazy';
      }
    }
    @Module({ providers: [Lazy] })
    class LazyModule {}
    const flowrra = await start({ providers: [First] });
    const { app } = open.at(-1) as TestApp;
    await app.get(LazyModuleLoader).load(() => LazyModule);
    await expect(flowrra.submit('Lazy.late')).rejects.toThrow(TaskNotFoundError);
    flowrra.discover();
    flowrra.discover();
    expect(await run(flowrra, 'Lazy.late')).toBe('lazy');
  });
});

describe('providers that live for one job', () => {
  let made = 0;

  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    private readonly id = ++made;

    constructor(@Inject(REQUEST) private readonly job: TaskContext) {}

    @Task()
    async who(word: string, @TaskCtx() ctx: TaskContext): Promise<unknown[]> {
      return [this.id, word, this.job.taskId === ctx.taskId, this.job.attempt];
    }
  }

  @Injectable({ scope: Scope.TRANSIENT })
  class Transient {
    private readonly id = ++made;

    @Task()
    who(): number {
      return this.id;
    }
  }

  @Injectable()
  class DependsOnRequest {
    private readonly id = ++made;

    constructor(private readonly inner: PerRequest) {}

    @Task()
    who(): boolean {
      return this.id > 0 && this.inner instanceof PerRequest;
    }
  }

  @Controller({ scope: Scope.REQUEST })
  class RequestController {
    private readonly id = ++made;

    @Task()
    who(): number {
      return this.id;
    }
  }

  it('get a fresh instance, with its job as the request', async () => {
    const flowrra = await start({ providers: [PerRequest] });
    const before = made;
    expect(await run(flowrra, 'PerRequest.who', 'a')).toEqual([before + 1, 'a', true, 1]);
    expect(await run(flowrra, 'PerRequest.who', 'b')).toEqual([before + 2, 'b', true, 1]);
    expect((await flowrra.waitForResult(await flowrra.tasks(PerRequest).who('c'))).result).toEqual([
      before + 3,
      'c',
      true,
      1,
    ]);
  });

  it('transient ones as well, and those that only depend on a request-scoped one, and controllers', async () => {
    const flowrra = await start({
      providers: [PerRequest, Transient, DependsOnRequest],
      controllers: [RequestController],
    });
    const ids = [await run(flowrra, 'Transient.who'), await run(flowrra, 'Transient.who')];
    expect(new Set(ids).size).toBe(2);
    expect(await run(flowrra, 'DependsOnRequest.who')).toBe(true);
    const controllers = [
      await run(flowrra, 'RequestController.who'),
      await run(flowrra, 'RequestController.who'),
    ];
    expect(new Set(controllers).size).toBe(2);
  });

  it('fail the job, and nothing else, if they cannot be made', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Unmakeable {
      constructor() {
        throw new Error('no database today');
      }

      @Task({ maxRetries: 0 })
      work(): void {}
    }
    const flowrra = await start({ providers: [Unmakeable, First] });
    await expect(run(flowrra, 'Unmakeable.work')).rejects.toThrow('no database today');
    expect(await run(flowrra, 'First.name')).toBe('First');
  });
});

describe('what fails the start', () => {
  const refused = async (
    metadata: ModuleMetadata,
    message: RegExp,
    options: FlowrraModuleOptions = {},
  ): Promise<void> => {
    const starting = start(metadata, options);
    await expect(starting).rejects.toThrow(FlowrraConfigError);
    await expect(starting).rejects.toThrow(message);
  };

  it('two tasks of one name', async () => {
    @Injectable()
    class One {
      @Task({ name: 'same' })
      work(): void {}
    }
    @Injectable()
    class Two {
      @Task({ name: 'same' })
      work(): void {}
    }
    await refused({ providers: [One, Two] }, /'same'.*One\.work.*Two\.work/);
  });

  it('one class under two tokens', async () => {
    await refused({ providers: [First, { provide: 'OTHER', useClass: First }] }, /First.*useExisting/);
  });

  it('an unknown queue', async () => {
    @Injectable()
    class Lost {
      @Task({ queue: 'report' })
      work(): void {}
    }
    await refused({ providers: [Lost] }, /Lost\.work.*report.*reports/s, { queues: { reports: {} } });
  });

  it('an unknown option of a task', async () => {
    @Injectable()
    class Typo {
      @Task({ maxRetry: 3 } as object)
      work(): void {}
    }
    await refused({ providers: [Typo] }, /maxRetry.*maxRetries/s);
  });

  it('a context without its decorator, or not in the last place', async () => {
    @Injectable()
    class Undecorated {
      @Task()
      work(_a: string, _ctx: TaskContext): void {}
    }
    await refused({ providers: [Undecorated] }, /Undecorated\.work.*@TaskCtx\(\)/);
    @Injectable()
    class Misplaced {
      @Task()
      work(@TaskCtx() _ctx: TaskContext, _a: string): void {}
    }
    await refused({ providers: [Misplaced] }, /Misplaced\.work.*last/);
  });

  it('a second forRoot in one application', async () => {
    const { FlowrraModule } = await import('../../lib/index.js');
    await refused({ imports: [FlowrraModule.forRoot()] }, /twice/);
  });

  it('a static method and a symbol, as soon as the class is defined', () => {
    expect(() => {
      class Static {
        // @ts-expect-error a static method is none of a provider's
        @Task()
        static work(): void {}
      }
      return Static;
    }).toThrow(/Static\.work/);
    const key = Symbol('key');
    expect(() => {
      class Symbolic {
        // @ts-expect-error a symbol is no name
        @Task()
        [key](): void {}
      }
      return Symbolic;
    }).toThrow(FlowrraConfigError);
    expect(() => {
      class Double {
        @Task()
        @Task()
        work(): void {}
      }
      return Double;
    }).toThrow(/two @Task/);
  });
});

it('warns of a default name that a minifier may have made', async () => {
  @Injectable()
  class x {
    @Task()
    work(): void {}

    @Task({ name: 'named' })
    other(): void {}
  }
  const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await start({ providers: [x] });
  expect(warned.mock.calls.map(([message]) => message as string)).toEqual([
    expect.stringContaining("'x.work'"),
  ]);
  warned.mockRestore();
});

describe('which task a function means', () => {
  it('refuses one that two subclasses share, a bound one and a spied one, and names the way out', async () => {
    const flowrra = await start({ providers: [First, Second] });
    const { app } = open.at(-1) as TestApp;
    const first = app.get(First);
    await expect(flowrra.submit(first.name)).rejects.toThrow(/shared.*tasks\(TheClass\)\.name/s);
    await expect(flowrra.submit(first.name.bind(first))).rejects.toThrow(/bound.*tasks\(TheClass\)\.name/s);
    const spied = Object.assign(() => 'spy', { _isMockFunction: true });
    await expect(flowrra.submit(spied)).rejects.toThrow(/spied.*tasks\(TheClass\)/s);
    expect((await flowrra.waitForResult(await flowrra.submit(first.overridden))).result).toBe(
      'first, not base',
    );
  });

  it('a spy that replaced the method is what runs', async () => {
    const flowrra = await start({ providers: [First] });
    const { app } = open.at(-1) as TestApp;
    app.get(First).overridden = () => 'spied';
    expect((await flowrra.waitForResult(await flowrra.tasks(First).overridden())).result).toBe('spied');
  });

  it('the proxy answers nothing to await and to symbols, and throws for what is no task', async () => {
    const flowrra = await start({ providers: [First] });
    const proxy = flowrra.tasks(First) as unknown as Record<string | symbol, unknown>;
    expect(await proxy).toBe(proxy);
    expect(proxy[Symbol.toPrimitive]).toBeUndefined();
    expect(() => proxy['toString']).toThrow(TaskNotFoundError);
    expect(() => proxy['nam']).toThrow(/First\.nam.*name/s);
    expect(() => flowrra.tasks(Second)).toThrow(/Second has no tasks/);
  });

  it('two applications in one process do not see each other', async () => {
    const one = await start({ providers: [First] });
    const two = await start({ providers: [Second] });
    const events: string[] = [];
    two.events$.subscribe(({ type }) => events.push(type));
    const id = await one.submit('First.name');
    await one.waitForResult(id);
    expect(await two.getResult(id)).toBeNull();
    await expect(two.submit('First.name')).rejects.toThrow(TaskNotFoundError);
    expect(events).toEqual([]);
  });
});

describe('options of tasks from outside', () => {
  @Injectable()
  class Tuned {
    tries = 0;

    @Task({ maxRetries: 0 })
    flaky(): string {
      if (++this.tries < 3) throw new Error('not yet');
      return 'done';
    }

    @Task({ name: 'where' })
    where(): void {}
  }
  const tasks = { 'Tuned.flaky': { maxRetries: 5, retryDelay: 1 }, where: { queue: 'other' } };

  it('go over those of the decorator', async () => {
    const flowrra = await start({ providers: [Tuned] }, { tasks, queues: { other: {} } });
    expect(await run(flowrra, 'Tuned.flaky')).toBe('done');
    const queues: string[] = [];
    flowrra.events$.subscribe((event) => queues.push(event.queue));
    await run(flowrra, 'where');
    expect(new Set(queues)).toEqual(new Set(['other']));
  });

  it('are checked like those, and name a task that there is', async () => {
    const starting = (given: object) => start({ providers: [Tuned] }, { tasks: given as typeof tasks });
    await expect(starting({ 'Tuned.flaky': { maxRetries: -1 } })).rejects.toThrow(
      /Task 'Tuned\.flaky', maxRetries: -1 is not valid/,
    );
    await expect(starting({ 'Tuned.flaky': { name: 'x' } })).rejects.toThrow(
      /tasks\['Tuned\.flaky'\]: unknown option 'name'/,
    );
    await expect(starting({ 'Tuned.flakey': {} })).rejects.toThrow(
      /no task is called 'Tuned\.flakey'.*Tuned\.flaky/,
    );
    await expect(starting({ where: { queue: 'nowhere' } })).rejects.toThrow(/queue: 'nowhere' is not valid/);
  });
});
