import { Controller, Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Task, TaskNotFoundError } from '../../lib/index.js';
import { Base, First, run, Second, startingApps } from './starting-apps.js';

const start = startingApps();

/** A decorator that wraps the method, as logging or tracing ones do. */
function Twice(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      return [original.apply(this, args), original.apply(this, args)];
    };
  };
}

describe('which methods are tasks', () => {
  it('those of providers and controllers', async () => {
    @Controller()
    class Web {
      @Task()
      fromController(): string {
        return 'controller';
      }
    }
    const { flowrra } = await start({ providers: [First], controllers: [Web] });
    expect(await run(flowrra, 'Web.fromController')).toBe('controller');
  });

  it('inherited tasks have the name of each subclass, and run its overridden methods', async () => {
    const { flowrra } = await start({ providers: [First, Second] });
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
    const { flowrra } = await start({
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
    const { flowrra } = await start({
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
    const { flowrra } = await start({ imports: [One, Two] });
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
    const { app, flowrra } = await start({ providers: [Wrapped] });
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
    const { app, flowrra } = await start({ providers: [First] });
    await app.get(LazyModuleLoader).load(() => LazyModule);
    await expect(flowrra.submit('Lazy.late')).rejects.toThrow(TaskNotFoundError);
    flowrra.discover();
    flowrra.discover();
    expect(await run(flowrra, 'Lazy.late')).toBe('lazy');
  });
});
