import type { CanActivate, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ApplicationConfig, ContextId, NestContainer } from '@nestjs/core';
import type { ProviderHost } from '../discovery/task-explorer.js';
import {
  createEnhancers,
  ExternalExceptionFilterContext,
  GuardsContextCreator,
  type InstanceWrapper,
  InterceptorsContextCreator,
  PipesContextCreator,
  STATIC_CONTEXT,
} from '../nest-internals.js';
import { isAnythingBound, staticPipesOf } from './bound-enhancers.js';

/** The enhancers of a task in one context: global ones first, then those of the class, then those of the method. */
export interface Enhancers {
  readonly guards: CanActivate[];
  readonly interceptors: NestInterceptor[];
  readonly pipes: PipeTransform[];
  /** The value that a matching filter returns for an error; `undefined` or `null` if no filter matches. */
  filter(error: unknown, host: object): unknown;
}

/** Gets the enhancers of providers from Nest in the way in which Nest gets those of controllers. */
export class NestEnhancers {
  private readonly guards;
  private readonly interceptors;
  private readonly pipes;
  private readonly filters;
  private readonly config: ApplicationConfig | undefined;

  /** @param useGlobal Whether global enhancers apply to tasks. */
  constructor(container: NestContainer, useGlobal: boolean) {
    this.config = useGlobal ? container.applicationConfig : undefined;
    this.guards = new GuardsContextCreator(container, this.config);
    this.interceptors = new InterceptorsContextCreator(container, this.config);
    this.pipes = new PipesContextCreator(container, this.config);
    this.filters = new ExternalExceptionFilterContext(container, this.config);
  }

  /** Whether the task has any enhancer. */
  areBoundTo(host: ProviderHost, method: object): boolean {
    return isAnythingBound(host, method) || this.global().length > 0 || this.hasGlobalPerJob;
  }

  /** Whether there are request-scoped global enhancers. They apply to shared providers too. */
  get hasGlobalPerJob(): boolean {
    return this.globalPerJob().length > 0;
  }

  /** The pipes that can check arguments at submission, outside of a job, in Nest's order. */
  pipesBeforeJob(host: ProviderHost, method: object): PipeTransform[] {
    return [...(this.config?.getGlobalPipes() ?? []), ...staticPipesOf(host, method)];
  }

  /** Creates the request-scoped global enhancers for one context. */
  createGlobal({ wrapper }: ProviderHost, contextId: ContextId): Promise<void> {
    return createEnhancers(this.globalPerJob(), contextId, wrapper);
  }

  of(
    { module, wrapper }: ProviderHost,
    instance: object,
    method: (...args: unknown[]) => unknown,
    contextId: ContextId = STATIC_CONTEXT,
  ): Enhancers {
    const { token } = module;
    const filters = this.filters.create(instance, method as never, token, contextId, wrapper.id);
    return {
      guards: this.guards.create(instance, method, token, contextId, wrapper.id),
      interceptors: this.interceptors.create(instance, method, token, contextId, wrapper.id),
      pipes: this.pipes.create(instance, method, token, contextId, wrapper.id),
      // Not `next`, which logs errors that no filter has caught: it would log every retry.
      filter: (error, host) => filters.invokeCustomFilters(error, host as never),
    };
  }

  private global(): object[] {
    const { config } = this;
    if (config === undefined) return [];
    return [
      ...config.getGlobalGuards(),
      ...config.getGlobalInterceptors(),
      ...config.getGlobalPipes(),
      ...config.getGlobalFilters(),
    ];
  }

  private globalPerJob(): InstanceWrapper[] {
    const { config } = this;
    if (config === undefined) return [];
    return [
      ...config.getGlobalRequestGuards(),
      ...config.getGlobalRequestInterceptors(),
      ...config.getGlobalRequestPipes(),
      ...config.getGlobalRequestFilters(),
    ];
  }
}
