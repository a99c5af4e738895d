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
import {
  type DeadLetter,
  OnTask,
  Task,
  TaskContext,
  TaskCtx,
  type TaskEvent,
  TaskExecutionContext,
} from 'flowrra';
import { map, type Observable } from 'rxjs';

@Injectable()
export class Tasks {
  /** The arguments of `note`, in the order in which its jobs ran. */
  readonly noted: number[] = [];
  /** The ids of the jobs that the dead-letter task received. */
  readonly dead: string[] = [];
  /** The types of the events of `Polite.greet`, in their order. */
  readonly heard: string[] = [];
  /** Whether `fragile` throws. */
  broken = true;

  @Task()
  greet(name: string, @TaskCtx() ctx: TaskContext): { text: string } {
    ctx.log(`greeting ${name}`);
    ctx.progress(100);
    return { text: `hello ${name}, attempt ${ctx.attempt}` };
  }

  @Task({ maxRetries: 2, retryDelay: 1, jitter: false })
  flaky(@TaskCtx() ctx: TaskContext): number {
    if (ctx.attempt < 3) throw new Error(`attempt ${ctx.attempt} fails`);
    return ctx.attempt;
  }

  @Task({ maxRetries: 0, deadLetter: 'Tasks.bury' })
  fragile(): string {
    if (this.broken) throw new RangeError('broken');
    return 'mended';
  }

  @Task()
  bury({ taskId }: DeadLetter): void {
    this.dead.push(taskId);
  }

  @OnTask(['succeeded', 'failed'], { task: 'Polite.greet' })
  hear({ type }: TaskEvent<'succeeded' | 'failed'>): void {
    this.heard.push(type);
  }

  @Task({ queue: 'hanging' })
  hang(@TaskCtx() ctx: TaskContext): Promise<never> {
    return new Promise((_resolve, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
    });
  }

  @Task({ queue: 'ordered' })
  note(n: number): void {
    this.noted.push(n);
  }

  @Task({ queue: 'limited' })
  limited(n: number): number {
    return n;
  }

  @Task({ cpuBound: true })
  square(n: number): number {
    return n * n;
  }
}

@Injectable()
class NoMallory implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return TaskExecutionContext.create(context).getArgs<[string]>()[0] !== 'Mallory';
  }
}

@Injectable({ scope: Scope.REQUEST })
class Exclaim implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<string> {
    return next.handle().pipe(map((text: string) => `${text}!`));
  }
}

@Injectable()
class Trim implements PipeTransform<string> {
  transform(value: string): string {
    if (value === '') throw new BadRequestException('the name is empty');
    return value.trim();
  }
}

@Catch(RangeError)
class Instead implements ExceptionFilter<RangeError> {
  catch(error: RangeError): string {
    return `instead of ${error.message}`;
  }
}

/** A task behind a guard, a request-scoped interceptor, a pipe and a filter. */
@Injectable()
@UseGuards(NoMallory)
@UseInterceptors(Exclaim)
export class Polite {
  @UsePipes(Trim)
  @UseFilters(Instead)
  @Task({ maxRetries: 0 })
  greet(name: string): string {
    if (name === 'Eve') throw new RangeError(name);
    return `hello ${name}`;
  }
}
