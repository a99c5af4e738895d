import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, REQUEST } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { RetryTaskError, TaskContext, TaskExecutionContext } from '../../lib/index.js';

/** What an enhancer may need of the application. */
@Injectable()
export class Trail {
  readonly steps: string[] = [];
}

export class Broken extends Error {}

@Injectable()
export class Guard implements CanActivate {
  constructor(protected readonly trail: Trail) {}

  canActivate(context: ExecutionContext): boolean {
    const task = TaskExecutionContext.create(context);
    this.trail.steps.push(`guard ${task.getTask().taskName} #${task.getTask().attempt}`);
    return task.getArgs()[0] !== 'forbidden';
  }
}

@Injectable()
export class Interceptor implements NestInterceptor {
  constructor(protected readonly trail: Trail) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.trail.steps.push(`before ${context.getClass().name}.${context.getHandler().name}`);
    return next.handle().pipe(map((result: unknown) => `[${String(result)}]`));
  }
}

@Injectable()
export class Pipe implements PipeTransform {
  constructor(protected readonly trail: Trail) {}

  transform(value: unknown): unknown {
    if (value === 'invalid') throw new BadRequestException(['word is not valid', 'nor anything else']);
    return typeof value === 'string' ? value.toUpperCase() : value;
  }
}

@Injectable()
@Catch(Broken)
export class Filter implements ExceptionFilter<Broken> {
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
export class ScopedGuard extends Guard {
  constructor(trail: Trail, @Inject(REQUEST) job: TaskContext) {
    super(trail);
    trail.steps.push(`made for ${job.taskName}`);
  }
}
@Injectable({ scope: Scope.REQUEST })
export class ScopedInterceptor extends Interceptor {}
@Injectable({ scope: Scope.REQUEST })
export class ScopedPipe extends Pipe {}
@Injectable({ scope: Scope.REQUEST })
@Catch(Broken)
export class ScopedFilter extends Filter {}

export const GLOBAL = [
  { provide: APP_GUARD, useClass: Guard },
  { provide: APP_INTERCEPTOR, useClass: Interceptor },
  { provide: APP_PIPE, useClass: Pipe },
  { provide: APP_FILTER, useClass: Filter },
];

export const GLOBAL_PER_JOB = [
  { provide: APP_GUARD, useClass: ScopedGuard },
  { provide: APP_INTERCEPTOR, useClass: ScopedInterceptor },
  { provide: APP_PIPE, useClass: ScopedPipe },
  { provide: APP_FILTER, useClass: ScopedFilter },
];
