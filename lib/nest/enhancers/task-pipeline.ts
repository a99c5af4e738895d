import { ForbiddenException, HttpException, type CanActivate } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { codeOf } from '../../job/attempt-error.js';
import { TaskForbiddenError } from '../../job/errors.js';
import { AttemptContext } from '../../run/task-context.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import type { TaskScope, TaskScopes } from '../discovery/task-scopes.js';
import type { TaskCall } from '../../run/task-definition.js';
import { ExecutionContextHost, GuardsConsumer, InterceptorsConsumer } from '../nest-internals.js';
import type { Enhancers, NestEnhancers } from './nest-enhancers.js';
import type { TaskArguments } from './task-arguments.js';
import { attachTask, TASK_CONTEXT_TYPE } from './task-execution-context.js';

type Method = (...args: unknown[]) => unknown;

/**
 * Runs a task's code inside its enhancers, in the order of Nest's HTTP requests: guards, interceptors, pipes, code.
 * Filters handle the errors of all of them.
 */
export class TaskPipeline {
  private readonly guardsConsumer = new GuardsConsumer();
  private readonly interceptorsConsumer = new InterceptorsConsumer();
  /** `null` before the first use. Enhancers of a context of its own are not stored. */
  private shared: Enhancers | null = null;

  constructor(
    private readonly host: ProviderHost,
    private readonly method: Method,
    private readonly nest: NestEnhancers,
    private readonly scopes: TaskScopes,
    private readonly taskArguments: TaskArguments,
  ) {}

  /**
   * @param call Pipes replace its arguments.
   * @param next Runs the task's code.
   * @throws {TaskForbiddenError} if a guard denies the attempt.
   * @throws {TaskArgumentsError} if a schema or a pipe rejects the arguments.
   */
  async run(call: TaskCall, next: () => unknown): Promise<unknown> {
    const { args } = call;
    const { scopes, nest } = this;
    const scope = await (nest.hasGlobalPerJob ? scopes.perAttempt(call) : scopes.of(call));
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
      throw attempt.classify(error);
    }
  }

  private async enhancersOf(instance: object, contextId: TaskScope['contextId']): Promise<Enhancers> {
    const { nest, host, method } = this;
    if (contextId === undefined) return (this.shared ??= nest.of(host, instance, method));
    await nest.createGlobal(host, contextId);
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
   * A filter that returns no value, or rethrows the same error, has not handled it: it may only observe errors.
   * If no filter matches, Nest 11 returns `null`.
   */
  private async filter(
    { filter }: Enhancers,
    error: unknown,
    args: unknown[],
    instance: object,
  ): Promise<unknown> {
    // A snooze is no failure.
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

/** Tracks the stage of an attempt, since an exception of a guard or a pipe is treated differently from one of the code. */
class GuardedAttempt {
  stage: 'guards' | 'pipes' | 'handler' = 'handler';

  /** The arguments as submitted. */
  private readonly given: readonly unknown[];

  constructor(
    private readonly args: unknown[],
    private readonly taskArguments: TaskArguments,
    private readonly next: () => unknown,
  ) {
    this.given = [...args];
  }

  /** An interceptor may call this more than once, to retry. Each call starts with the arguments as submitted. */
  async pipeAndRun(pipes: Enhancers['pipes']): Promise<unknown> {
    this.args.splice(0, Infinity, ...this.given);
    this.stage = 'pipes';
    await this.taskArguments.apply(this.args, pipes);
    this.stage = 'handler';
    const result = this.next();
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }

  /** Rejections by guards and pipes are final. Other errors may be retried. */
  classify(error: unknown): unknown {
    if (this.stage === 'pipes') return this.taskArguments.rejection(error) ?? error;
    if (this.stage === 'guards' && error instanceof HttpException)
      return new TaskForbiddenError(`A guard has denied the attempt: ${error.message}`, { cause: error });
    return error;
  }
}
