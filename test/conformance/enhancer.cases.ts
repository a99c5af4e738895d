import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, REQUEST } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import {
  RetryTaskError,
  Task,
  TaskContext,
  TaskCtx,
  TaskExecutionContext,
  type TaskResult,
} from '../../lib/index.js';
import type { Bed, Beds } from './engine-under-test.js';

/** What an enhancer may need of the application. */
@Injectable()
class Trail {
  readonly steps: string[] = [];
}

class Broken extends Error {}

@Injectable()
class Guard implements CanActivate {
  constructor(protected readonly trail: Trail) {}

  canActivate(context: ExecutionContext): boolean {
    const task = TaskExecutionContext.create(context);
    this.trail.steps.push(`guard ${task.getTask().taskName} #${task.getTask().attempt}`);
    return task.getArgs()[0] !== 'forbidden';
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(protected readonly trail: Trail) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.trail.steps.push(`before ${context.getClass().name}.${context.getHandler().name}`);
    return next.handle().pipe(map((result: unknown) => `[${String(result)}]`));
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(protected readonly trail: Trail) {}

  transform(value: unknown): unknown {
    if (value === 'invalid') throw new BadRequestException(['word is not valid', 'nor anything else']);
    return typeof value === 'string' ? value.toUpperCase() : value;
  }
}

@Injectable()
@Catch(Broken)
class Filter implements ExceptionFilter<Broken> {
  constructor(protected readonly trail: Trail) {}

  catch(error: Broken, host: ArgumentsHost): unknown {
    this.trail.steps.push(`filter ${TaskExecutionContext.create(host).getTask().attempt}`);
    if (error.message === 'again') throw new RetryTaskError(5, 'said the filter');
    if (error.message === 'seen') return undefined;
    return `instead of ${error.message}`;
  }
}

/** The same, made anew for each job, of which each is told. */
@Injectable({ scope: Scope.REQUEST })
class ScopedGuard extends Guard {
  constructor(trail: Trail, @Inject(REQUEST) job: TaskContext) {
    super(trail);
    trail.steps.push(`made for ${job.taskName}`);
  }
}
@Injectable({ scope: Scope.REQUEST })
class ScopedInterceptor extends Interceptor {}
@Injectable({ scope: Scope.REQUEST })
class ScopedPipe extends Pipe {}
@Injectable({ scope: Scope.REQUEST })
@Catch(Broken)
class ScopedFilter extends Filter {}

class Work {
  constructor(protected readonly trail: Trail) {}

  protected done(word: string): string {
    this.trail.steps.push(`handler ${word}`);
    if (word.startsWith('BROKEN ')) throw new Broken(word.slice('BROKEN '.length).toLowerCase());
    if (word === 'FORBID') throw new ForbiddenException('by the handler');
    return word;
  }
}

@Injectable()
class OnMethod extends Work {
  constructor(trail: Trail) {
    super(trail);
  }

  @UseGuards(Guard)
  @UseInterceptors(Interceptor)
  @UsePipes(Pipe)
  @UseFilters(Filter)
  @Task({ maxRetries: 1, retryDelay: 5 })
  async work(word: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    await Promise.resolve(ctx.taskId);
    return this.done(word);
  }

  @Task({ maxRetries: 0 })
  plain(word: string): string {
    return this.done(word);
  }
}

@UseGuards(Guard)
@UseInterceptors(Interceptor)
@UsePipes(Pipe)
@UseFilters(Filter)
@Injectable()
class OnClass extends Work {
  constructor(trail: Trail) {
    super(trail);
  }

  @Task({ maxRetries: 1, retryDelay: 5 })
  work(word: string): string {
    return this.done(word);
  }
}

@UseGuards(ScopedGuard)
@UseInterceptors(ScopedInterceptor)
@UsePipes(ScopedPipe)
@UseFilters(ScopedFilter)
@Injectable({ scope: Scope.REQUEST })
class PerJob extends Work {
  constructor(trail: Trail) {
    super(trail);
  }

  @Task({ maxRetries: 1, retryDelay: 5 })
  work(word: string): string {
    return this.done(word);
  }
}

@Injectable()
class Bare extends Work {
  constructor(trail: Trail) {
    super(trail);
  }

  @Task({ maxRetries: 1, retryDelay: 5 })
  work(word: string): string {
    return this.done(word);
  }
}

@Injectable({ scope: Scope.REQUEST })
class BarePerJob extends Bare {
  @Task({ maxRetries: 1, retryDelay: 5 })
  override work(word: string): string {
    return this.done(word);
  }
}

const GLOBAL = [
  { provide: APP_GUARD, useClass: Guard },
  { provide: APP_INTERCEPTOR, useClass: Interceptor },
  { provide: APP_PIPE, useClass: Pipe },
  { provide: APP_FILTER, useClass: Filter },
];

/** Guards, interceptors, pipes and filters, bound in Nest's own ways. */
export function enhancerCases(beds: Beds): void {
  const kinds = [
    { where: 'on the method', host: OnMethod, global: false },
    { where: 'on the class', host: OnClass, global: false },
    { where: 'on the class, per job', host: PerJob, global: false },
    { where: 'global', host: Bare, global: true },
    { where: 'global, of a provider per job', host: BarePerJob, global: true },
  ];

  async function start({ host, global }: (typeof kinds)[number]) {
    const bed = await beds.start([Trail, host, ...(global ? GLOBAL : [])], { globalEnhancers: global });
    return { ...bed, name: `${host.name}.work`, trail: bed.app.get(Trail) };
  }

  async function run(bed: Bed, name: string, word: string): Promise<TaskResult> {
    const id = await bed.flowrra.submit(name, word);
    const result = bed.flowrra.waitForResult(id);
    await bed.advance(1_000);
    return result;
  }

  describe.each(kinds)('$where', (kind) => {
    it('run around the task, in the order of Nest', async () => {
      const bed = await start(kind);
      const { name, trail } = bed;
      expect(await run(bed, name, 'word')).toMatchObject({ status: 'success', result: '[WORD]' });
      expect(trail.steps.filter((step) => !step.startsWith('made'))).toEqual([
        `guard ${name} #1`,
        `before ${name}`,
        'handler WORD',
      ]);
      if (kind.host === PerJob) expect(trail.steps).toContain('made for PerJob.work');
    });

    it('a guard that denies fails the job for good; the same exception from the task does not', async () => {
      const bed = await start(kind);
      expect(await run(bed, bed.name, 'forbidden')).toMatchObject({
        status: 'failed',
        retries: 0,
        errors: [{ code: 'FLOWRRA_FORBIDDEN', message: 'A guard has denied it: Forbidden resource' }],
      });
      expect(bed.trail.steps.some((step) => step.startsWith('handler'))).toBe(false);
      expect(await run(bed, bed.name, 'forbid')).toMatchObject({
        status: 'failed',
        retries: 1,
        error: 'ForbiddenException: by the handler',
      });
    });

    it('a filter turns an error into a result or into a retry, or lets it pass', async () => {
      const bed = await start(kind);
      expect(await run(bed, bed.name, 'broken pipes')).toMatchObject({
        status: 'success',
        result: 'instead of pipes',
      });
      expect(await run(bed, bed.name, 'broken again')).toMatchObject({
        status: 'failed',
        retries: 1,
        error: 'RetryTaskError: said the filter',
      });
      expect(await run(bed, bed.name, 'broken seen')).toMatchObject({
        status: 'failed',
        retries: 1,
        errors: [{ message: 'seen' }, { message: 'seen' }],
      });
    });
  });

  it('a pipe that refuses rejects the submission; what gets past it fails for good', async () => {
    const bed = await beds.start([Trail, OnMethod]);
    const { flowrra } = bed;
    await expect(flowrra.submit('OnMethod.work', 'invalid')).rejects.toThrow(BadRequestException);
    await expect(flowrra.submitMany('OnMethod.work', [['fine'], ['invalid']])).rejects.toThrow(
      BadRequestException,
    );
    expect(await flowrra.pendingCount()).toBe(0);
    expect(bed.app.get(Trail).steps).toEqual([]);
    // One that lives for one job cannot judge before there is a job.
    const scoped = await beds.start([Trail, PerJob]);
    expect(await run(scoped, 'PerJob.work', 'invalid')).toMatchObject({
      status: 'failed',
      retries: 0,
      errors: [
        {
          code: 'FLOWRRA_ARGUMENTS',
          message: "The arguments of 'PerJob.work' are not valid: word is not valid; nor anything else",
        },
      ],
    });
  });

  it('global ones are left out unless they are let in, and a task without any has none around it', async () => {
    const bed = await beds.start([Trail, Bare, OnMethod, ...GLOBAL]);
    expect(await run(bed, 'Bare.work', 'forbidden')).toMatchObject({
      status: 'success',
      result: 'forbidden',
    });
    expect(await run(bed, 'OnMethod.plain', 'forbidden')).toMatchObject({ result: 'forbidden' });
    expect(bed.app.get(Trail).steps).toEqual(['handler forbidden', 'handler forbidden']);
  });
}
