import { BadRequestException, Injectable, ParseArrayPipe, UsePipes, ValidationPipe } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsArray, IsEmail, IsInt, IsOptional, Min, ValidateNested } from 'class-validator';
import { z } from 'zod';
import {
  type FlowrraService,
  type StandardSchema,
  Task,
  TaskArgumentsError,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { ManualClock } from '../support/manual-clock.js';

class Line {
  @IsInt()
  @Min(1)
  pieces!: number;
}

class Order {
  @IsEmail()
  to!: string;

  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines!: Line[];

  get size(): number {
    return this.lines.reduce((sum, { pieces }) => sum + pieces, 0);
  }
}

class Paging {
  @IsOptional()
  @IsInt()
  page?: number;
}

@Injectable()
class Orders {
  readonly seen: unknown[] = [];

  @UsePipes(new ValidationPipe({ transform: true, whitelist: true }))
  @Task({ maxRetries: 2, retryDelay: 1 })
  place(order: Order, paging?: Paging, @TaskCtx() ctx?: TaskContext): unknown {
    this.seen.push(order, paging);
    return [order instanceof Order, order.lines[0] instanceof Line, order.size, paging, ctx?.attempt];
  }

  @UsePipes(new ValidationPipe({ transform: true }))
  @Task()
  rest(first: string, ...others: number[]): unknown {
    return [first, others];
  }

  @UsePipes(new ValidationPipe({ transform: true }))
  @Task()
  lines(_to: string, ...lines: Line[]): unknown {
    return lines.map((line) => line instanceof Line);
  }

  @UsePipes(new ValidationPipe({ transform: true }))
  @Task()
  one(line: Line): unknown {
    return line instanceof Line;
  }

  @UsePipes(new ParseArrayPipe({ items: Line }))
  @Task()
  list(lines: Line[]): unknown {
    return lines.map((line) => line instanceof Line);
  }

  @Task({ schema: [z.email(), z.object({ page: z.coerce.number() }).optional()] })
  mail(to: string, paging?: { page: number }): unknown {
    return [to, paging];
  }

  @Task({ schema: z.tuple([z.string().trim(), z.number().int()]) })
  both(name: string, age: number): unknown {
    return { name, age };
  }

  @Task({ cpuBound: true, schema: [z.number().int()] })
  square(n: number): number {
    return n * n;
  }
}

const apps: TestApp[] = [];
afterEach(async () => {
  for (const { app } of apps.splice(0)) await app.close();
});

async function start(): Promise<{ flowrra: FlowrraService; orders: Orders }> {
  const app = await startApp({}, { providers: [Orders] });
  apps.push(app);
  return { flowrra: app.flowrra, orders: app.app.get(Orders) };
}

async function resultOf(flowrra: FlowrraService, id: Promise<string>): Promise<unknown> {
  const { result, error } = await flowrra.waitForResult(await id);
  return result ?? error;
}

const order = { to: 'ada@example.com', lines: [{ pieces: 2 }, { pieces: 3 }], extra: 'dropped' };

it('a DTO travels as plain data, and is one again in the task', async () => {
  const { flowrra, orders } = await start();
  const id = flowrra.submit('Orders.place', order, { page: 4 });
  expect(await resultOf(flowrra, id)).toEqual([true, true, 5, { page: 4 }, 1]);
  expect(orders.seen[0]).not.toHaveProperty('extra');
  // One that is left out is nothing to judge.
  expect(await resultOf(flowrra, flowrra.submit('Orders.place', order))).toEqual([
    true,
    true,
    5,
    undefined,
    1,
  ]);
});

it('an invalid submission is rejected with the problems, as by a controller', async () => {
  const { flowrra } = await start();
  const submitted = flowrra.submit('Orders.place', { to: 'nobody', lines: [{ pieces: 0 }] });
  const error: BadRequestException = await submitted.then(
    () => Promise.reject(new Error('accepted')),
    (reason: BadRequestException) => reason,
  );
  expect(error).toBeInstanceOf(BadRequestException);
  expect(error.getResponse()).toMatchObject({
    message: ['to must be an email', 'lines.0.pieces must not be less than 1'],
  });
  await expect(flowrra.submit('Orders.place', order, { page: 'one' })).rejects.toThrow(BadRequestException);
});

it('pipes get the elements of a rest parameter with their type', async () => {
  const { flowrra } = await start();
  expect(await resultOf(flowrra, flowrra.submit('Orders.rest', 'a', 1, 2, 3))).toEqual(['a', [1, 2, 3]]);
});

it('checks and transforms each element of a rest parameter and of an array', async () => {
  const { flowrra } = await start();
  const run = (task: string, ...args: unknown[]) =>
    resultOf(flowrra, flowrra.submit(`Orders.${task}`, ...args));
  const [fine, wrong] = [{ pieces: 1 }, { pieces: 0 }];
  expect(await run('lines', 'ada', fine, fine, fine)).toEqual([true, true, true]);
  await expect(run('lines', 'ada', fine, fine, wrong)).rejects.toThrow(BadRequestException);
  expect(await run('list', [fine, fine])).toEqual([true, true]);
  await expect(run('list', [fine, wrong])).rejects.toThrow(BadRequestException);
  // Without a rest parameter, what is too much is nobody's.
  expect(await run('one', fine, 'surplus')).toBe(true);
});

it('schemas check at submission, and the task gets the values that they return', async () => {
  const { flowrra } = await start();
  const run = (...args: unknown[]) => resultOf(flowrra, flowrra.submit('Orders.mail', ...args));
  expect(await run('ada@example.com', { page: '7' })).toEqual(['ada@example.com', { page: 7 }]);
  expect(await run('ada@example.com')).toEqual(['ada@example.com', undefined]);
  await expect(run('nobody')).rejects.toThrow(TaskArgumentsError);
  await expect(run('ada@example.com', { page: 'x' })).rejects.toThrow(
    /The arguments of 'Orders\.mail' are not valid: args\[1\]\.page: /,
  );
  await expect(run()).rejects.toThrow(/args\[0\]: /);
  expect(await resultOf(flowrra, flowrra.submit('Orders.both', '  Ada ', 36))).toEqual({
    name: 'Ada',
    age: 36,
  });
  await expect(flowrra.submit('Orders.both', 'Ada')).rejects.toThrow(/args/);
  expect(await resultOf(flowrra, flowrra.submit('Orders.square', 7))).toBe(49);
  await expect(flowrra.submit('Orders.square', 0.5)).rejects.toThrow(/args\[0\]/);
});

it('a plain function may have a schema as well', async () => {
  const { flowrra } = await start();
  flowrra.register({ name: 'double', schema: [z.coerce.number()] }, (n: number) => 2 * n);
  expect(await resultOf(flowrra, flowrra.submit('double', '21'))).toBe(42);
  await expect(flowrra.submit('double', 'x')).rejects.toThrow(/'double' are not valid: args\[0\]/);
});

it('a schema may be a function, and may answer with the very list that it was given', async () => {
  const { flowrra } = await start();
  // As arktype makes them, and their paths.
  class Path extends Array<PropertyKey> {
    constructor(...steps: PropertyKey[]) {
      super();
      this.push(...steps);
    }
  }
  const names: StandardSchema<readonly unknown[]> = Object.assign((_value: unknown) => true, {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof (value as unknown[])[0] === 'string'
          ? { value }
          : { issues: [{ message: 'no name', path: new Path() }] },
    },
  });
  flowrra.register({ name: 'greet', schema: names }, (name: string) => `hello ${name}`);
  expect(await resultOf(flowrra, flowrra.submit('greet', 'ada'))).toBe('hello ada');
  await expect(flowrra.submit('greet', 1)).rejects.toThrow(/'greet' are not valid: args: no name/);
});

it('rejects values that are no schema', async () => {
  @Injectable()
  class Wrong {
    @Task({ schema: [{}] as never })
    work(): void {}
  }
  await expect(startApp({}, { providers: [Wrong] })).rejects.toThrow(
    /Task 'Wrong\.work', schema: an array is not valid.*Standard Schema/,
  );
});

it('a schema of one argument that is given for all of them says so', async () => {
  const { flowrra } = await start();
  const schema = z.object({ page: z.number() });
  // @ts-expect-error it does not compile, either: the list of the arguments is what it would judge
  flowrra.register({ name: 'page', schema }, (paging: { page: number }) => paging.page);
  await expect(flowrra.submit('page', { page: 1 })).rejects.toThrow(
    /For one argument, write schema: \[theSchema\]/,
  );
});

it('the check of arguments has a time limit, after which no job is submitted', async () => {
  const clock = new ManualClock();
  const app = await startApp({ clock }, { providers: [] });
  apps.push(app);
  const { flowrra } = app;
  const gate = new Gate();
  const schema: StandardSchema = {
    '~standard': { version: 1, vendor: 'test', validate: (value) => gate.passed.then(() => ({ value })) },
  };
  let runs = 0;
  flowrra.register({ name: 'stuck', schema: [schema] }, () => runs++);
  const submitted = flowrra.submit('stuck', 1);
  const rejected = expect(submitted).rejects.toThrow(/'stuck' have not been checked in time/);
  await clock.advance(30_000);
  await rejected;
  gate.open(undefined);
  await clock.advance(1_000);
  expect([runs, await flowrra.pendingCount()]).toEqual([0, 0]);
});
