import type { CanActivate, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ApplicationConfig, ContextId, NestContainer } from '@nestjs/core';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
import { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import type { ProviderHost } from '../discovery/task-explorer.js';

/** Where Nest's decorators note what is bound to a class or a method. */
const METADATA = ['__guards__', '__interceptors__', '__pipes__', '__exceptionFilters__'] as const;
export const PIPES_METADATA = '__pipes__';

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

  /** @param useGlobal Whether global ones count as well. */
  constructor(container: NestContainer, useGlobal: boolean) {
    this.config = useGlobal ? container.applicationConfig : undefined;
    this.guards = new GuardsContextCreator(container, this.config);
    this.interceptors = new InterceptorsContextCreator(container, this.config);
    this.pipes = new PipesContextCreator(container, this.config);
    this.filters = new ExternalExceptionFilterContext(container, this.config);
  }

  /** Whether anything at all is bound to the task: most have nothing. */
  areBoundTo({ prototype }: ProviderHost, method: object): boolean {
    const bound = METADATA.some(
      (key) => Reflect.hasMetadata(key, prototype.constructor) || Reflect.hasMetadata(key, method),
    );
    return bound || this.hasGlobal;
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

  private get hasGlobal(): boolean {
    const { config } = this;
    if (config === undefined) return false;
    return [
      config.getGlobalGuards(),
      config.getGlobalRequestGuards(),
      config.getGlobalInterceptors(),
      config.getGlobalRequestInterceptors(),
      config.getGlobalPipes(),
      config.getGlobalRequestPipes(),
      config.getGlobalFilters(),
      config.getGlobalRequestFilters(),
    ].some((list) => list.length > 0);
  }
}
