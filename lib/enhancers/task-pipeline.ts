import { ForbiddenException, HttpException, type CanActivate } from '@nestjs/common';
import { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { codeOf } from '../core/attempt-error.js';
import { TaskForbiddenError } from '../core/errors.js';
import { AttemptContext } from '../core/task-context.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import type { TaskScopes } from '../discovery/task-scopes.js';
import type { TaskCall } from '../runner/task-runner.interface.js';
import type { Enhancers, NestEnhancers } from './nest-enhancers.js';
import type { TaskArguments } from './task-arguments.js';
import { attachTask, TASK_CONTEXT_TYPE } from './task-execution-context.js';

type Method = (...args: unknown[]) => unknown;

/**
 * One task's guards, interceptors, pipes and filters around its code, in the order of Nest's own
 * requests: guards, interceptors, pipes, handler; and filters around all of it.
 */
export class TaskPipeline {
  private readonly guardsConsumer = new GuardsConsumer();
  private readonly interceptorsConsumer = new InterceptorsConsumer();
  /** Made once, unless they live for one job. */
  private shared: Enhancers | null = null;

  constructor(
    private readonly host: ProviderHost,
    private readonly method: Method,
    private readonly nest: NestEnhancers,
    private readonly scopes: TaskScopes,
    private readonly taskArguments: TaskArguments,
  ) {}

  /**
   * @param call Its arguments become what pipes make of them.
   * @param next Runs the task's code, wherever that is.
   * @throws {TaskForbiddenError} if a guard denies it. {@link TaskArgumentsError} if a pipe does.
   */
  async run(call: TaskCall, next: () => unknown): Promise<unknown> {
    const { args } = call;
    const { instance, contextId, task = new AttemptContext(call) } = await this.scopes.of(call);
    attachTask(args, task);
    const enhancers = this.enhancersOf(instance, contextId);
    const attempt = new GuardedAttempt(this.taskArguments, next);
    try {
      await this.guard(enhancers.guards, args, instance, attempt);
      return await this.intercept(enhancers, args, instance, attempt);
    } catch (error) {
      const handled = await this.filter(enhancers, error, args, instance);
      if (handled !== undefined && handled !== null) return handled;
      throw attempt.verdict(error);
    }
  }

  private enhancersOf(instance: object, contextId: Parameters<NestEnhancers['of']>[3]): Enhancers {
    if (contextId !== undefined) return this.nest.of(this.host, instance, this.method, contextId);
    return (this.shared ??= this.nest.of(this.host, instance, this.method));
  }

  private async guard(
    guards: CanActivate[],
    args: unknown[],
    instance: object,
    attempt: GuardedAttempt,
  ): Promise<void> {
    if (guards.length === 0) return;
    attempt.stage = 'guards';
    const allowed = await this.guardsConsumer.tryActivate(
      guards,
      args,
      instance,
      this.method,
      TASK_CONTEXT_TYPE,
    );
    if (!allowed) throw new ForbiddenException('Forbidden resource');
    attempt.stage = 'handler';
  }

  private async intercept(
    { interceptors, pipes }: Enhancers,
    args: unknown[],
    instance: object,
    attempt: GuardedAttempt,
  ): Promise<unknown> {
    const result: unknown = await this.interceptorsConsumer.intercept(
      interceptors,
      args,
      instance,
      this.method,
      () => attempt.pipeAndRun(args, pipes),
      TASK_CONTEXT_TYPE,
    );
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }

  /** A filter that returns nothing has not handled the error: it may only have looked at it. Nest 11 says `null` where no filter fits. */
  private async filter(
    { filter }: Enhancers,
    error: unknown,
    args: unknown[],
    instance: object,
  ): Promise<unknown> {
    // That the job comes back later is no error.
    if (codeOf(error) === 'FLOWRRA_SNOOZE') return undefined;
    const host = new ExecutionContextHost(args, instance.constructor as never, this.method);
    host.setType(TASK_CONTEXT_TYPE);
    const handled: unknown = await filter(error, host);
    return isObservable(handled) ? lastValueFrom(handled, { defaultValue: undefined }) : handled;
  }
}

/** Remembers how far an attempt has come, since the same exception means one thing from a guard and another one from the handler. */
class GuardedAttempt {
  stage: 'guards' | 'pipes' | 'handler' = 'handler';

  constructor(
    private readonly taskArguments: TaskArguments,
    private readonly next: () => unknown,
  ) {}

  async pipeAndRun(args: unknown[], pipes: Enhancers['pipes']): Promise<unknown> {
    this.stage = 'pipes';
    await this.taskArguments.apply(args, pipes);
    this.stage = 'handler';
    const result = this.next();
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }

  /** Denied, or not valid, is for good; whatever else went wrong may go right the next time. */
  verdict(error: unknown): unknown {
    if (this.stage === 'pipes') return this.taskArguments.refusal(error) ?? error;
    if (this.stage === 'guards' && error instanceof HttpException)
      return new TaskForbiddenError(`A guard has denied it: ${error.message}`, { cause: error });
    return error;
  }
}
