import { type CanActivate, Inject, Injectable, Module, Scope, type Type, UseGuards } from '@nestjs/common';
import { LazyModuleLoader, type ModuleRef, REQUEST } from '@nestjs/core';
import {
  type FlowrraModuleOptions,
  OnTask,
  Task,
  type TaskContext,
  type TaskEvent,
} from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { ManualClock, settle } from '../support/manual-clock.js';

const open: TestApp[] = [];
afterEach(async () => {
  for (const { app } of open.splice(0)) await app.close();
});

async function start(providers: Type[] = [], options: FlowrraModuleOptions = {}): Promise<TestApp> {
  const started = await startApp(options, { providers });
  open.push(started);
  return started;
}

/** Loads a module of these providers, as a handler does that needs it for the first time. */
async function load({ app, flowrra }: TestApp, providers: Type[]): Promise<ModuleRef> {
  @Module({ providers })
  class LazyModule {}
  const loaded = await app.get(LazyModuleLoader).load(() => LazyModule);
  flowrra.discover();
  return loaded;
}

async function run({ flowrra }: TestApp, task: string): Promise<unknown> {
  const { result, error } = await flowrra.waitForResult(await flowrra.submit(task));
  await settle();
  return error ?? result;
}

@Injectable()
class Eager {
  @Task()
  work(): string {
    return 'eager';
  }
}

@Injectable()
class Early {
  readonly received: string[] = [];

  @OnTask('succeeded')
  succeeded({ taskName }: TaskEvent<'succeeded'>): void {
    this.received.push(taskName);
  }
}

@Injectable()
class Late extends Early {}

@Injectable()
class Denied implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class Lazy {
  private tries = 0;

  @Task()
  work(): string {
    return 'lazy';
  }

  @Task({ maxRetries: 0 })
  fails(): string {
    if (++this.tries < 3) throw new Error('not yet');
    return 'at last';
  }

  @Task({ maxRetries: 0 })
  @UseGuards(Denied)
  guarded(): void {}
}

@Injectable({ scope: Scope.REQUEST })
class LazyPerJob {
  constructor(@Inject(REQUEST) private readonly job: TaskContext) {}

  @Task()
  work(): string {
    return this.job.taskName;
  }
}

describe('a module that is loaded lazily', () => {
  it('has tasks of every kind', async () => {
    const started = await start([Eager]);
    await load(started, [Lazy, LazyPerJob, Denied]);
    expect(await run(started, 'Lazy.work')).toBe('lazy');
    expect(await run(started, 'LazyPerJob.work')).toBe('LazyPerJob.work');
    expect(await run(started, 'Lazy.guarded')).toMatch(/guard/);
    expect(await run(started, 'Eager.work')).toBe('eager');
  });

  it('a lazy listener receives its events, though there was no listener at the start', async () => {
    const started = await start([Eager]);
    await run(started, 'Eager.work');
    const loaded = await load(started, [Late, Lazy]);
    await run(started, 'Eager.work');
    await run(started, 'Lazy.work');
    expect(loaded.get(Late).received).toEqual(['Eager.work', 'Lazy.work']);
  });

  it('each listener receives an event once, however often discover() is called', async () => {
    const started = await start([Eager, Early]);
    const loaded = await load(started, [Late]);
    started.flowrra.discover();
    started.flowrra.discover();
    await run(started, 'Eager.work');
    expect(started.app.get(Early).received).toEqual(['Eager.work']);
    expect(loaded.get(Late).received).toEqual(['Eager.work']);
  });

  it('runs jobs that waited for the lazy task, with its options of forRoot({ tasks })', async () => {
    const clock = new ManualClock();
    const started = await start([Early], {
      clock,
      remoteTasks: { 'Lazy.fails': {} },
      tasks: { 'Lazy.fails': { maxRetries: 2, retryDelay: '1s' } },
    });
    const { flowrra } = started;
    started.app.useLogger(false);
    const id = await flowrra.submit('Lazy.fails');
    await settle();
    expect((await flowrra.getResult(id))?.status).toBe('pending');
    await load(started, [Lazy]);
    await clock.advance(10_000);
    expect(await flowrra.getResult(id)).toMatchObject({ result: 'at last', retries: 2 });
    expect(started.app.get(Early).received).toEqual(['Lazy.fails']);
  });

  it('with a task of a name that is taken fails discover(), and changes nothing else', async () => {
    @Injectable()
    class Impostor {
      @Task({ name: 'Eager.work' })
      work(): string {
        return 'impostor';
      }
    }
    const started = await start([Eager]);
    await expect(load(started, [Impostor])).rejects.toThrow(/Eager\.work/);
    expect(await run(started, 'Eager.work')).toBe('eager');
  });
});
