import { jest } from '@jest/globals';
import { Injectable, Logger, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  FlowrraConfigError,
  FlowrraModule,
  type FlowrraModuleOptions,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { FlowrraTestingModule } from '../../lib/testing/index.js';
import { First, startingApps } from './starting-apps.js';

const start = startingApps();

describe('invalid tasks fail the start', () => {
  const rejected = async (
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
    await rejected({ providers: [One, Two] }, /'same'.*One\.work.*Two\.work/);
  });

  it('one class under two tokens', async () => {
    await rejected({ providers: [First, { provide: 'OTHER', useClass: First }] }, /First.*useExisting/);
  });

  it('an unknown queue', async () => {
    @Injectable()
    class Lost {
      @Task({ queue: 'report' })
      work(): void {}
    }
    await rejected({ providers: [Lost] }, /Lost\.work.*report.*reports/s, { queues: { reports: {} } });
  });

  it('an unknown option of a task', async () => {
    @Injectable()
    class Typo {
      @Task({ maxRetry: 3 } as object)
      work(): void {}
    }
    await rejected({ providers: [Typo] }, /maxRetry.*maxRetries/s);
  });

  it('a context without its decorator, or not in the last place', async () => {
    @Injectable()
    class Undecorated {
      @Task()
      work(_a: string, _ctx: TaskContext): void {}
    }
    await rejected({ providers: [Undecorated] }, /Undecorated\.work.*@TaskCtx\(\)/);
    @Injectable()
    class Misplaced {
      @Task()
      work(@TaskCtx() _ctx: TaskContext, _a: string): void {}
    }
    await rejected({ providers: [Misplaced] }, /Misplaced\.work.*last/);
  });

  it('a second forRoot in one application', async () => {
    await rejected({ imports: [FlowrraModule.forRoot()] }, /twice/);
  });

  it('FlowrraModule without forRoot, which the error says', async () => {
    @Module({ imports: [FlowrraModule], providers: [First] })
    class AppModule {}
    const starting = NestFactory.createApplicationContext(AppModule, { abortOnError: false, logger: false });
    await expect(starting).rejects.toThrow(FlowrraConfigError);
    await expect(starting).rejects.toThrow(/FlowrraModule is imported without forRoot\(\)/);
    const testing = FlowrraTestingModule.override(Test.createTestingModule({ imports: [AppModule] }));
    await expect(testing.compile()).rejects.toThrow(/FlowrraModule is imported without forRoot\(\)/);
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
