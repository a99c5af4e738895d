import type { CanActivate, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ApplicationConfig, ContextId, NestContainer } from '@nestjs/core';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
import { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { Injector } from '@nestjs/core/injector/injector.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import { isAnythingBound, staticPipesOf } from './bound-enhancers.js';

/** What is bound to a task, made for one context: global first, then the class's, then the method's. */
export interface Enhancers {
  readonly guards: CanActivate[];
  readonly interceptors: NestInterceptor[];
  readonly pipes: PipeTransform[];
  /** What a filter that fits makes of an error; `undefined` or `null` if none does. */
  filter(error: unknown, host: object): unknown;
}

/** Asks Nest for the enhancers of providers, in the way in which it asks for those of controllers. */
export class NestEnhancers {
  private readonly guards;
  private readonly interceptors;
  private readonly pipes;
  private readonly filters;
  private readonly config: ApplicationConfig | undefined;
  private readonly injector = new Injector();

  /** @param useGlobal Whether global ones count as well. */
  constructor(container: NestContainer, useGlobal: boolean) {
    this.config = useGlobal ? container.applicationConfig : undefined;
    this.guards = new GuardsContextCreator(container, this.config);
    this.interceptors = new InterceptorsContextCreator(container, this.config);
    this.pipes = new PipesContextCreator(container, this.config);
    this.filters = new ExternalExceptionFilterContext(container, this.config);
  }

  /** Whether there is anything at all to run around the task. */
  areBoundTo(host: ProviderHost, method: object): boolean {
    return isAnythingBound(host, method) || this.global().length > 0 || this.hasGlobalPerJob;
  }

  /** Whether there are global ones that are made anew for each job, also around a provider that is not. */
  get hasGlobalPerJob(): boolean {
    return this.globalPerJob().length > 0;
  }

  /** The pipes that can judge arguments where they are submitted, outside of every job, in Nest's order. */
  pipesBeforeJob(host: ProviderHost, method: object): PipeTransform[] {
    return [...(this.config?.getGlobalPipes() ?? []), ...staticPipesOf(host, method)];
  }

  /** Makes what lives for one job and is global: Nest does so for controllers alone. */
  async makeGlobal({ wrapper }: ProviderHost, contextId: ContextId): Promise<void> {
    const bearer = { getEnhancersMetadata: () => this.globalPerJob() };
    await this.injector.loadEnhancersPerContext(bearer as never, contextId, wrapper);
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
      // Not `next`, which logs what no filter has caught: every retry would be logged.
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
