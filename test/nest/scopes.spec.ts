import {
  Controller,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  type ModuleMetadata,
  Scope,
} from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  ModuleRef,
  NestFactory,
  REQUEST,
} from '@nestjs/core';
import { FlowrraModule, FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

let made = 0;
const open: TestApp['app'][] = [];
async function start(metadata: ModuleMetadata): Promise<TestApp> {
  const started = await startApp({}, metadata);
  open.push(started.app);
  return started;
}
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
  ContextIdFactory.apply(undefined as unknown as ContextIdStrategy);
});

interface Tenant {
  readonly tenant: string;
}

/** As Nest's documentation has it, and for jobs as well. */
class ByTenant implements ContextIdStrategy {
  private readonly subTrees = new Map<string, ContextId>();

  attach(contextId: ContextId, request: TaskContext | { headers: Record<string, string> }) {
    const tenant =
      request instanceof TaskContext
        ? (request.metadata as Partial<Tenant>).tenant
        : request.headers['x-tenant'];
    if (tenant === undefined) return () => contextId;
    const subTree = this.subTrees.get(tenant) ?? ContextIdFactory.create();
    this.subTrees.set(tenant, subTree);
    return {
      resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? subTree : contextId),
      payload: { tenant },
    };
  }
}

@Injectable({ scope: Scope.REQUEST, durable: true })
class Books {
  readonly id = ++made;

  constructor(@Inject(REQUEST) private readonly owner: Tenant) {}

  @Task()
  book(@TaskCtx() { taskId }: TaskContext): unknown[] {
    return [this.id, this.owner.tenant, taskId];
  }
}

@Injectable({ scope: Scope.REQUEST })
class Letters {
  readonly id = ++made;

  constructor(
    private readonly books: Books,
    @Inject(REQUEST) private readonly job: TaskContext & Tenant,
  ) {}

  @Task({ retryDelay: 0 })
  write(): unknown[] {
    if (this.job.attempt === 1) throw new Error('not yet');
    return [this.id, this.books.id, this.job.taskId, this.job.attempt, this.job.tenant];
  }
}

@Controller()
class BooksController {
  constructor(private readonly books: Books) {}

  @Get()
  id(): number {
    return this.books.id;
  }
}

async function run(flowrra: FlowrraService, task: string, tenant?: string): Promise<unknown[]> {
  const submission = tenant === undefined ? flowrra : flowrra.with({ metadata: { tenant } });
  const taskId = await submission.submit(task);
  const { result, error } = await flowrra.waitForResult<unknown[]>(taskId);
  if (error !== null) throw new Error(error);
  return (result as unknown[]).map((value) => (value === taskId ? 'its id' : value));
}

describe('a request-scoped provider', () => {
  it('is created for each attempt, even of the same job, with the job as its request', async () => {
    const ids: number[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class PerAttempt {
      private readonly id = ++made;

      constructor(@Inject(REQUEST) private readonly job: TaskContext) {}

      @Task({ retryDelay: 0 })
      work(@TaskCtx() ctx: TaskContext): unknown[] {
        ids.push(this.id);
        if (ctx.attempt < 3) throw new Error('not yet');
        return [this.job instanceof TaskContext, this.job.taskId, this.job.attempt, this.job.metadata];
      }
    }
    const { flowrra } = await start({ providers: [PerAttempt] });
    expect(await run(flowrra, 'PerAttempt.work', 'ada')).toEqual([true, 'its id', 3, { tenant: 'ada' }]);
    expect(new Set(ids).size).toBe(3);
  });

  it('shares its context with providers that it resolves, as in a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Inner {
      readonly id = ++made;
    }
    @Injectable({ scope: Scope.REQUEST })
    class Outer {
      constructor(
        private readonly inner: Inner,
        private readonly moduleRef: ModuleRef,
        @Inject(REQUEST) private readonly job: TaskContext,
      ) {}

      @Task()
      async same(): Promise<boolean[]> {
        const contextId = ContextIdFactory.getByRequest(this.job as unknown as Record<string, unknown>);
        return [(await this.moduleRef.resolve(Inner, contextId)) === this.inner];
      }
    }
    const { flowrra } = await start({ providers: [Inner, Outer] });
    expect(await run(flowrra, 'Outer.same')).toEqual([true]);
  });
});

describe('a durable provider', () => {
  it('is shared by jobs that the strategy groups, and gets the payload of the strategy as the request', async () => {
    ContextIdFactory.apply(new ByTenant());
    const { flowrra } = await start({ providers: [Books] });
    const [ada] = await run(flowrra, 'Books.book', 'ada');
    const [bob] = await run(flowrra, 'Books.book', 'bob');
    expect(ada).not.toBe(bob);
    expect(await run(flowrra, 'Books.book', 'ada')).toEqual([ada, 'ada', 'its id']);
    expect(await run(flowrra, 'Books.book', 'bob')).toEqual([bob, 'bob', 'its id']);
  });

  it('is made once if several jobs ask for it at the same time', async () => {
    ContextIdFactory.apply(new ByTenant());
    const { flowrra } = await start({ providers: [Books] });
    const results = await Promise.all(
      ['ada', 'bob', 'ada', 'bob', 'ada'].map((tenant) => run(flowrra, 'Books.book', tenant)),
    );
    expect(new Set(results.map(([id, tenant]) => `${String(id)} ${String(tenant)}`)).size).toBe(2);
  });

  it('inside a request-scoped one, which is created for each job and reads the payload from its job', async () => {
    ContextIdFactory.apply(new ByTenant());
    const { flowrra } = await start({ providers: [Books, Letters] });
    const [books] = await run(flowrra, 'Books.book', 'ada');
    const [first, ...rest] = await run(flowrra, 'Letters.write', 'ada');
    expect(rest).toEqual([books, 'its id', 2, 'ada']);
    const [second, ...again] = await run(flowrra, 'Letters.write', 'ada');
    expect(second).not.toBe(first);
    expect(again).toEqual([books, 'its id', 2, 'ada']);
  });

  it('never gets a job that it outlives as its request, even if the strategy has no payload', async () => {
    const shared = ContextIdFactory.create();
    ContextIdFactory.apply({
      attach: (contextId) => (info: HostComponentInfo) => (info.isTreeDurable ? shared : contextId),
    });
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Nameless {
      constructor(@Inject(REQUEST) private readonly request: unknown) {}

      @Task()
      work(): boolean[] {
        return [this.request === undefined];
      }
    }
    const { flowrra } = await start({ providers: [Nameless] });
    expect(await run(flowrra, 'Nameless.work')).toEqual([true]);
    expect(await run(flowrra, 'Nameless.work')).toEqual([true]);
  });

  it('is the same one in a request of that tenant', async () => {
    ContextIdFactory.apply(new ByTenant());
    @Module({ imports: [FlowrraModule.forRoot()], providers: [Books], controllers: [BooksController] })
    class Root {}
    const app: INestApplication = await NestFactory.create(Root, { logger: ['error'], abortOnError: false });
    open.push(app);
    await app.listen(0, '127.0.0.1');
    const ask = async (tenant: string): Promise<number> =>
      Number(await (await fetch(await app.getUrl(), { headers: { 'x-tenant': tenant } })).text());
    const flowrra = app.get(FlowrraService);
    const ada = await ask('ada');
    expect(await run(flowrra, 'Books.book', 'ada')).toEqual([ada, 'ada', 'its id']);
    const [bob] = await run(flowrra, 'Books.book', 'bob');
    expect(await ask('bob')).toBe(bob);
    expect(ada).not.toBe(bob);
  });

  it('without a strategy, is created for each job, with the job as its request', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Alone {
      readonly id = ++made;

      constructor(@Inject(REQUEST) private readonly job: TaskContext) {}

      @Task()
      who(): unknown[] {
        return [this.id, this.job.taskId];
      }
    }
    const { flowrra } = await start({ providers: [Alone] });
    const [first, job] = await run(flowrra, 'Alone.who');
    expect(job).toBe('its id');
    expect((await run(flowrra, 'Alone.who'))[0]).not.toBe(first);
  });

  it('a strategy that knows no jobs fails those that ask it, and says how; other tasks do not ask', async () => {
    ContextIdFactory.apply({
      attach: (contextId, request: { headers: Record<string, string> }) => {
        const tenant = request.headers['x-tenant'];
        return () => (tenant ? contextId : contextId);
      },
    });
    @Injectable()
    class Plain {
      @Task()
      work(): string[] {
        return ['done'];
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @Task({ maxRetries: 0 })
      work(): void {}
    }
    const { flowrra } = await start({ providers: [Plain, PerRequest] });
    await expect(run(flowrra, 'PerRequest.work')).rejects.toThrow(/x-tenant/);
    expect(await run(flowrra, 'Plain.work')).toEqual(['done']);
  });
});
