// Compiled, never run: each line must compile, and each line under @ts-expect-error must not.
import { Injectable } from '@nestjs/common';
import { Observable } from 'rxjs';
import {
  FlowrraModule,
  FlowrraService,
  Task,
  TaskContext,
  TaskCtx,
  type TaskId,
  type TaskSubmitters,
} from '../../lib/index.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<Expected>() {
  return <Actual>(_value: Actual, ..._equal: Equal<Actual, Expected> extends true ? [] : [never]): void => {};
}

class Invoice {
  constructor(
    readonly id: number,
    readonly due: Date,
  ) {}

  overdue(): boolean {
    return this.due < new Date();
  }
}

class Money {
  toJSON(): { cents: number } {
    return { cents: 1 };
  }
}

@Injectable()
class Tasks {
  readonly rate = 1;

  @Task({ maxRetries: 5, retryDelay: '2s', backoff: 'exponential' })
  async send(_to: string, _name: string): Promise<{ messageId: string }> {
    return { messageId: '' };
  }

  @Task()
  report(_month: string, @TaskCtx() _ctx: TaskContext): string {
    return '';
  }

  @Task()
  onlyContext(@TaskCtx() _ctx: TaskContext): void {}

  @Task()
  optional(_a: string, _b?: number, @TaskCtx() _ctx?: TaskContext): number {
    return 0;
  }

  @Task()
  rest(_first: string, ..._more: number[]): number {
    return 0;
  }

  @Task()
  generic<T>(_value: T): T {
    return _value;
  }

  overloaded(value: string): string;
  overloaded(value: number): number;
  @Task()
  overloaded(value: string | number): string | number {
    return value;
  }

  @Task()
  stream(): Observable<number> {
    return new Observable();
  }

  @Task()
  invoice(): Invoice[] {
    return [];
  }

  @Task()
  money(): { price: Money; seen: Map<string, Set<Date>> } {
    return { price: new Money(), seen: new Map() };
  }

  @Task()
  query(): { query: URLSearchParams } {
    return { query: new URLSearchParams() };
  }

  @Task()
  anything(_value: any): void {}

  helper(): void {}
}

declare module '../../lib/run/task-types.js' {
  interface RemoteTasks {
    'Remote.resize': (file: string, width: number) => { bytes: number };
  }
}

export async function submissions(flowrra: FlowrraService, tasks: Tasks): Promise<void> {
  expectType<TaskId<{ messageId: string }>>()(await flowrra.submit(tasks.send, 'a', 'b'));
  // @ts-expect-error an argument is missing
  await flowrra.submit(tasks.send, 'a');
  // @ts-expect-error an argument is of the wrong type
  await flowrra.submit(tasks.send, 'a', 1);
  // @ts-expect-error an argument is too many
  await flowrra.submit(tasks.send, 'a', 'b', 'c');

  expectType<TaskId<string>>()(await flowrra.submit(tasks.report, '2026-01'));
  // @ts-expect-error the context is not the caller's to give
  await flowrra.submit(tasks.report, '2026-01', {} as TaskContext);
  await flowrra.submit(tasks.onlyContext);
  await flowrra.submit(tasks.optional, 'a');
  await flowrra.submit(tasks.optional, 'a', 1);
  // @ts-expect-error
  await flowrra.submit(tasks.optional, 'a', '1');
  await flowrra.submit(tasks.rest, 'a', 1, 2, 3);
  // @ts-expect-error
  await flowrra.submit(tasks.rest, 'a', 1, '2');
  expectType<TaskId<number>>()(await flowrra.submit(tasks.generic, 1));
  expectType<TaskId<unknown>>()(await flowrra.tasks(Tasks).generic(1));
  expectType<TaskId<number>>()(await flowrra.submit(tasks.overloaded, 1));
  expectType<TaskId<number | undefined>>()(await flowrra.submit(tasks.stream));
  await flowrra.submit(tasks.anything, Symbol.iterator);

  const invoices = await flowrra.submit(tasks.invoice);
  expectType<TaskId<{ readonly id: number; readonly due: Date }[]>>()(invoices);
  expectType<TaskId<{ price: { cents: number }; seen: Map<string, Set<Date>> }>>()(
    await flowrra.submit(tasks.money),
  );

  expectType<TaskId<{ query: URLSearchParams }>>()(await flowrra.submit(tasks.query));

  const finished = await flowrra.waitForResult(invoices, { timeout: '10s' });
  if (finished.isSuccess) expectType<{ readonly id: number; readonly due: Date }[]>()(finished.result);
  else expectType<null>()(finished.result);
  const now = await flowrra.getResult(invoices);
  if (now?.isComplete) expectType<'success' | 'failed' | 'cancelled'>()(now.status);
  const byText = await flowrra.getResult('some-id');
  if (byText?.isSuccess) expectType<unknown>()(byText.result);
  await flowrra.waitForResult('some-id');

  await flowrra.submit('Anything.else', 1, 'two');
  expectType<TaskId<{ bytes: number }>>()(await flowrra.submit('Remote.resize', 'a.png', 100));
  expectType<TaskId<{ messageId: string }>[]>()(
    await flowrra.submitMany(tasks.send, [
      ['a', 'b'],
      ['c', 'd'],
    ]),
  );
  // @ts-expect-error
  await flowrra.submitMany(tasks.send, [['a']]);
  expectType<TaskId<{ messageId: string }>[]>()(
    await flowrra.submitMany(tasks.send, [
      ['a', 'b'],
      { args: ['c', 'd'], priority: 1, dedupe: { key: 'k' } },
    ]),
  );
  // @ts-expect-error arguments of a job with options of its own
  await flowrra.submitMany(tasks.send, [{ args: ['a'] }]);
  // @ts-expect-error an unknown option of one job
  await flowrra.submitMany(tasks.send, [{ args: ['a', 'b'], prio: 1 }]);

  await flowrra
    .with({ priority: 1, delay: '5m', timeout: '30s', runAt: new Date() })
    .submit(tasks.send, 'a', 'b');
  // @ts-expect-error an unknown option
  flowrra.with({ prio: 1 });
  // @ts-expect-error no duration
  flowrra.with({ delay: '5 parsecs' });
}

export async function proxies(flowrra: FlowrraService): Promise<void> {
  const proxy = flowrra.tasks(Tasks);
  expectType<TaskSubmitters<Tasks>>()(proxy);
  expectType<TaskId<{ messageId: string }>>()(await proxy.send('a', 'b'));
  expectType<TaskId<string>>()(await proxy.report('2026-01'));
  expectType<TaskId<number>>()(await flowrra.with({ priority: 1 }).tasks(Tasks).optional('a'));
  // @ts-expect-error
  await proxy.send('a');
  // @ts-expect-error a property is no task
  await proxy.rate();
}

export class Misplaced {
  // @ts-expect-error a private method cannot be a task
  @Task()
  private secret(): void {}

  // @ts-expect-error nor a protected one
  @Task()
  protected inner(): void {}

  // @ts-expect-error a property is no method
  @Task()
  value = 1;

  // @ts-expect-error a static method has no provider
  @Task()
  static shared(): void {}

  // @ts-expect-error an unknown option
  @Task({ maxRetry: 1 })
  typo(): void {}

  use(): void {
    this.secret();
  }
}

export const modules = [
  FlowrraModule.forRoot(),
  FlowrraModule.forRoot({ numWorkers: 10, queues: { reports: { concurrency: 2 } }, isGlobal: false }),
  FlowrraModule.forRootAsync({ useFactory: () => ({ numWorkers: 2 }) }),
  // @ts-expect-error an unknown option
  FlowrraModule.forRoot({ workers: 10 }),
];

export class Tagged {
  @Task({ tags: ['billing'] })
  plain(_order: { id: number }): void {}

  @Task({ tags: (order: { id: number }) => [`order:${order.id}`] })
  byArgument(_order: { id: number; total: number }, _by: string, @TaskCtx() _ctx: TaskContext): void {}

  @Task({ tags: (id: string, n?: number) => [id, `${n}`] })
  optional(_id: string, _n?: number): void {}

  // @ts-expect-error the task's argument is no number
  @Task({ tags: (id: number) => [`${id}`] })
  wrongArgument(_id: string): void {}

  // @ts-expect-error the task has no second argument
  @Task({ tags: (id: string, by: string) => [id, by] })
  tooMany(_id: string): void {}

  // @ts-expect-error the context is not known at the submission
  @Task({ tags: (_id: string, ctx: TaskContext) => [ctx.taskId] })
  context(_id: string, @TaskCtx() _ctx: TaskContext): void {}

  // @ts-expect-error a tag is a string
  @Task({ tags: (id: number) => [id] })
  noString(_id: number): void {}

  // @ts-expect-error tags must be known at once
  @Task({ tags: async (id: string) => [id] })
  later(_id: string): void {}
}

export function tags(flowrra: FlowrraService): void {
  flowrra.with({ tags: ['a', 'b'] });
  // @ts-expect-error no list
  flowrra.with({ tags: 'a' });
}
