import {
  BadRequestException,
  ForbiddenException,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Task, TaskContext, TaskCtx, type TaskResult } from '../../lib/index.js';
import type { Bed, Beds } from './engine-under-test.js';
import {
  Broken,
  Filter,
  GLOBAL,
  GLOBAL_PER_JOB,
  Guard,
  Interceptor,
  Pipe,
  ScopedFilter,
  ScopedGuard,
  ScopedInterceptor,
  ScopedPipe,
  Trail,
} from './trail-enhancers.js';

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

/** A provider that would be one for all, were it not for what is bound to its method. */
@Injectable()
class OnMethodPerJob extends Work {
  constructor(trail: Trail) {
    super(trail);
  }

  @UseGuards(ScopedGuard)
  @UseInterceptors(ScopedInterceptor)
  @UsePipes(ScopedPipe)
  @UseFilters(ScopedFilter)
  @Task({ maxRetries: 1, retryDelay: 5 })
  work(word: string): string {
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

/** Guards, interceptors, pipes and filters, bound in Nest's own ways. */
export function enhancerCases(beds: Beds): void {
  const kinds = [
    { where: 'on the method', host: OnMethod, global: [] },
    { where: 'on the method, per job', host: OnMethodPerJob, global: [] },
    { where: 'on the class', host: OnClass, global: [] },
    { where: 'on the class, per job', host: PerJob, global: [] },
    { where: 'global', host: Bare, global: GLOBAL },
    { where: 'global, of a provider per job', host: BarePerJob, global: GLOBAL },
    { where: 'global, per job', host: Bare, global: GLOBAL_PER_JOB },
    { where: 'global, per job, of a provider per job', host: BarePerJob, global: GLOBAL_PER_JOB },
  ];
  const isPerJob = ({ where }: (typeof kinds)[number]): boolean => where.includes(', per job');

  async function start({ host, global }: (typeof kinds)[number]) {
    const bed = await beds.start([Trail, host, ...global], { globalEnhancers: global.length > 0 });
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
      expect(trail.steps.includes(`made for ${name}`)).toBe(isPerJob(kind));
    });

    it('a guard that denies fails the job for good; the same exception from the task does not', async () => {
      const bed = await start(kind);
      expect(await run(bed, bed.name, 'forbidden')).toMatchObject({
        status: 'failed',
        retries: 0,
        errors: [
          { code: 'FLOWRRA_FORBIDDEN', message: 'A guard has denied the attempt: Forbidden resource' },
        ],
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
    const global = await beds.start([Trail, Bare, ...GLOBAL], { globalEnhancers: true });
    await expect(global.flowrra.submit('Bare.work', 'invalid')).rejects.toThrow(BadRequestException);
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
