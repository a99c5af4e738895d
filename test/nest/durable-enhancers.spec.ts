import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { filter, firstValueFrom, tap } from 'rxjs';
import { Task, TaskContext, TaskCtx, TaskExecutionContext, TaskSuspendedError } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';

const HOUR = 3_600_000;
const apps: TestApp[] = [];
afterEach(async () => {
  for (const { app } of apps.splice(0)) await app.close();
});

const seen: string[] = [];
beforeEach(() => seen.splice(0));
const tenant = new AsyncLocalStorage<string>();

function contextOf(context: ExecutionContext): TaskContext {
  return TaskExecutionContext.create(context).getTask();
}

@Injectable()
class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(`guard ${contextOf(context).attempt} ${tenant.getStore()}`);
    return true;
  }
}

@Injectable()
class Upper implements PipeTransform {
  transform(value: unknown): unknown {
    if (typeof value !== 'string') return value;
    seen.push('pipe');
    return value.toUpperCase();
  }
}

@Injectable()
class Follow implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { signal } = contextOf(context);
    signal.addEventListener('abort', () =>
      seen.push(`interceptor told ${signal.reason instanceof TaskSuspendedError}`),
    );
    return next.handle().pipe(tap((value) => seen.push(`interceptor got ${value}`)));
  }
}

@Injectable({ scope: Scope.REQUEST })
class Orders {
  private static made = 0;
  private readonly instance = ++Orders.made;

  @UseGuards(Guard)
  @UsePipes(Upper)
  @UseInterceptors(Follow)
  @Task()
  async fulfil(order: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    seen.push(`instance ${this.instance} of ${order} for ${tenant.getStore()}`);
    await ctx.step('charge', () => seen.push(`charge for ${tenant.getStore()}`));
    const label = await ctx.call('label');
    await ctx.sleep('cool-off', '1h');
    return `done ${label}`;
  }
}

it('an interceptor is told of a suspension, and guards, pipes, request scope and context apply at each attempt', async () => {
  const clock = new ManualClock();
  const started = await startApp(
    {
      clock,
      context: {
        capture: () => tenant.getStore(),
        run: (captured, next) => tenant.run(String(captured), next),
      },
    },
    { providers: [Orders, Guard, Upper, Follow] },
  );
  apps.push(started);
  const { flowrra } = started;
  flowrra.register({ name: 'label' }, () => `for ${tenant.getStore()}`);
  const asleep = firstValueFrom(
    flowrra.events$.pipe(filter((event) => event.type === 'suspended' && event.delay === HOUR)),
  );
  const id = await tenant.run('ada', () => flowrra.submit('Orders.fulfil', 'o1'));
  await asleep;
  const attempt = (instance: number): string[] => [
    'guard 1 ada',
    'pipe',
    `instance ${instance} of O1 for ada`,
  ];
  const suspended = [
    // At the submission.
    'pipe',
    ...attempt(1),
    'charge for ada',
    'interceptor told true',
    ...attempt(2),
    'interceptor told true',
  ];
  expect(seen).toEqual(suspended);
  await clock.advance(HOUR);
  expect((await flowrra.waitForResult(id)).result).toBe('done for ada');
  expect(seen).toEqual([...suspended, ...attempt(3), 'interceptor got done for ada']);
});
