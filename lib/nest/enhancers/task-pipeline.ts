import { ForbiddenException, HttpException, type CanActivate } from '@nestjs/common';
import { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { codeOf } from '../../job/attempt-error.js';
import { TaskForbiddenError } from '../../job/errors.js';
import { AttemptContext } from '../../run/task-context.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import type { TaskScope, TaskScopes } from '../discovery/task-scopes.js';
import type { TaskCall } from '../../run/task-definition.js';
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
    const { scopes, nest } = this;
    const scope = await (nest.hasGlobalPerJob ? scopes.ofItsOwn(call) : scopes.of(call));
    const { instance, contextId, task = new AttemptContext(call) } = scope;
    attachTask(args, task);
    const enhancers = await this.enhancersOf(instance, contextId);
    const attempt = new GuardedAttempt(args, this.taskArguments, next);
    try {
      await this.guard(enhancers.guards, args, instance, attempt);
      return await this.intercept(enhancers, args, instance, attempt);
    } catch (error) {
      const handled = await this.filter(enhancers, error, args, instance);
      if (handled !== undefined && handled !== null) return handled;
      throw attempt.verdict(error);
    }
  }

  private async enhancersOf(instance: object, contextId: TaskScope['contextId']): Promise<Enhancers> {
    const { nest, host, method } = this;
    if (contextId === undefined) return (this.shared ??= nest.of(host, instance, method));
    await nest.makeGlobal(host, contextId);
    return nest.of(host, instance, method, contextId);
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
      () => attempt.pipeAndRun(pipes),
      TASK_CONTEXT_TYPE,
    );
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }

  /**
   * A filter that returns nothing, or throws the same error on, has not handled it: it may only have
   * looked at it. Nest 11 says `null` where no filter fits.
   */
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
    try {
      const handled: unknown = await filter(error, host);
      return isObservable(handled) ? await lastValueFrom(handled, { defaultValue: undefined }) : handled;
    } catch (thrown) {
      if (thrown === error) return undefined;
      throw thrown;
    }
  }
}

/** Remembers how far an attempt has come, since the same exception means one thing from a guard and another one from the handler. */
class GuardedAttempt {
  stage: 'guards' | 'pipes' | 'handler' = 'handler';

  /** As they came. */
  private readonly given: readonly unknown[];

  constructor(
    private readonly args: unknown[],
    private readonly taskArguments: TaskArguments,
    private readonly next: () => unknown,
  ) {
    this.given = [...args];
  }

  /** More than once if an interceptor tries again: each time from the arguments as they came. */
  async pipeAndRun(pipes: Enhancers['pipes']): Promise<unknown> {
    this.args.splice(0, Infinity, ...this.given);
    this.stage = 'pipes';
    await this.taskArguments.apply(this.args, pipes);
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
