import {
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { concat, EMPTY, type Observable, of, race, retry, throwError } from 'rxjs';
import { z } from 'zod';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import type { Bed, Beds } from './engine-under-test.js';

class TriesAgain implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(2));
  }
}

class TellsSeveral implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return concat(of('before'), next.handle(), of('after'));
  }
}

class TellsNothing implements NestInterceptor {
  intercept(): Observable<never> {
    return EMPTY;
  }
}

class GivesUp implements NestInterceptor {
  async intercept(_context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    return race(
      next.handle(),
      throwError(() => new Error('too slow')),
    );
  }
}

/** What it makes of a word is not what it takes. */
class OneWord implements PipeTransform {
  readonly seen: unknown[] = [];

  transform(value: unknown): unknown {
    this.seen.push(value);
    if (value !== 'word') throw new BadRequestException(`${String(value)} is not it`);
    return 'WORD';
  }
}

@Injectable({ scope: Scope.REQUEST })
class OneWordPerJob extends OneWord {}

class Denies implements CanActivate {
  canActivate(): Observable<boolean> {
    return of(false);
  }
}

@Catch()
class PassesOn implements ExceptionFilter {
  async catch(error: unknown): Promise<never> {
    throw error;
  }
}

const oneWord = new OneWord();

@Injectable()
class Met {
  calls = 0;

  @UseInterceptors(TriesAgain)
  @UsePipes(oneWord)
  @Task({ maxRetries: 0, schema: [z.string().transform((text) => text.trim())] })
  again(word: string, @TaskCtx() { attempt }: TaskContext): unknown[] {
    if (++this.calls < 3) throw new Error('not yet');
    return [word, attempt];
  }

  @UseInterceptors(TellsSeveral)
  @Task()
  several(): string {
    return 'between';
  }

  @UseInterceptors(TellsNothing)
  @Task()
  nothing(): void {
    this.calls++;
  }

  @UseInterceptors(GivesUp)
  @Task({ maxRetries: 0 })
  slow(): Promise<void> {
    return new Promise(() => {});
  }

  @UseFilters(PassesOn)
  @UseGuards(Denies)
  @Task({ maxRetries: 1, retryDelay: 5 })
  denied(): void {}
}

/** Apart, since a pipe that is made for each job has its provider made for each job, too. */
@Injectable()
class MetPerJob {
  @UseFilters(PassesOn)
  @UsePipes(OneWordPerJob)
  @Task({ maxRetries: 1, retryDelay: 5 })
  refused(_word: string): void {}
}

/** What enhancers make of each other. */
export function interplayCases(beds: Beds): void {
  async function run({ flowrra, advance }: Bed, name: string, ...args: unknown[]) {
    const result = flowrra.waitForResult(await flowrra.submit(name, ...args));
    await advance(1_000);
    return result;
  }

  it('an interceptor that tries again does so with the arguments as they came', async () => {
    const bed = await beds.start([Met]);
    oneWord.seen.length = 0;
    expect(await run(bed, 'Met.again', ' word ')).toMatchObject({ status: 'success', result: ['WORD', 1] });
    // Where it was submitted, and three times around the task; the context was never among them.
    expect(oneWord.seen).toEqual(['word', 'word', 'word', 'word']);
  });

  it('the last of several values is the result, and none is none', async () => {
    const bed = await beds.start([Met]);
    expect(await run(bed, 'Met.several')).toMatchObject({ result: 'after' });
    expect(await run(bed, 'Met.nothing')).toMatchObject({ status: 'success', result: undefined });
    expect(bed.app.get(Met).calls).toBe(0);
  });

  it('an interceptor that gives up fails the attempt, whatever becomes of the task', async () => {
    const bed = await beds.start([Met]);
    expect(await run(bed, 'Met.slow')).toMatchObject({ status: 'failed', error: 'Error: too slow' });
  });

  it('a filter that throws the error on leaves it what it was: denied, or not valid, for good', async () => {
    const bed = await beds.start([Met, MetPerJob]);
    expect(await run(bed, 'Met.denied')).toMatchObject({
      retries: 0,
      errors: [{ code: 'FLOWRRA_FORBIDDEN' }],
    });
    expect(await run(bed, 'MetPerJob.refused', 'other')).toMatchObject({
      retries: 0,
      errors: [{ code: 'FLOWRRA_ARGUMENTS' }],
    });
  });
}
