/**
 * All uses of classes and members that Nest does not document. test/nest/nest-internals.spec.ts fails with the
 * name of the member if a version of Nest changes one of them.
 */
import { type ContextId, ContextIdFactory, ModuleRef, type ModulesContainer } from '@nestjs/core';
import type { NestContainer } from '@nestjs/core';
import type { Type } from '@nestjs/common';
import { Injector } from '@nestjs/core/injector/injector.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { ExternalContextCreator } from '@nestjs/core/helpers/external-context-creator.js';
import { FlowrraConfigError } from '../job/errors.js';

export { RuntimeException } from '@nestjs/core/errors/exceptions/runtime.exception.js';
export { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
export { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
export { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
export { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
export { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
export { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
export { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
export { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
export { ExternalContextCreator };
export type { InstanceWrapper, Module };

/** The metadata keys of Nest's enhancer decorators, on a class or a method, with the names of the decorators. */
export const ENHANCER_METADATA = {
  __guards__: '@UseGuards()',
  __interceptors__: '@UseInterceptors()',
  __pipes__: '@UsePipes()',
  __exceptionFilters__: '@UseFilters()',
} as const;

/** The metadata keys of a class's injected constructor parameters (set by the compiler) and properties. */
export const INJECTED_PARAMETERS = 'design:paramtypes';
export const INJECTED_PROPERTIES = 'self:properties_metadata';

/** The application's container, which Nest's own context creators need. */
export function containerOf(creator: ExternalContextCreator): NestContainer {
  const { container } = creator as unknown as { container?: NestContainer };
  if (container !== undefined) return container;
  throw new FlowrraConfigError(
    'Nest has no container in ExternalContextCreator. Flowrra needs Nest 11 or 12.',
  );
}

/** @throws {FlowrraConfigError} if the application does not have the module. */
export function moduleOf(modules: ModulesContainer, type: Type): Module {
  const found = [...modules.values()].find(({ metatype }) => metatype === type);
  if (found !== undefined) return found;
  throw new FlowrraConfigError(
    `${type.name} was not found among the application's modules. Flowrra needs Nest 11 or 12.`,
  );
}

/**
 * Makes the hooks of `first` run before those of all other modules at the start, and after them at the stop;
 * the hooks of `last` the other way round.
 *
 * Nest sorts modules by their distance from the root module. Without this, the order of global modules would be
 * undefined, and a global root module would not be last.
 */
export function orderHooks(modules: ModulesContainer, first: Type, last: Type): void {
  moduleOf(modules, first).distance = Infinity;
  moduleOf(modules, last).distance = -Infinity;
}

/** Whether one instance serves all callers: neither the provider nor a dependency of it is created per request. */
export function isShared(wrapper: InstanceWrapper): boolean {
  return wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
}

/** Where Nest has a provider or controller. */
export interface ProviderPlace {
  readonly wrapper: InstanceWrapper;
  readonly module: Module;
  /** Whether the module has it among its controllers. */
  readonly controller: boolean;
  /** The prototype of its class. */
  readonly prototype: object;
}

const injector = new Injector();

/** Creates a provider's instance, and its request-scoped dependencies, for one context. */
export function createInContext(place: ProviderPlace, contextId: ContextId): Promise<object> {
  const { wrapper, module, controller, prototype } = place;
  const members = controller ? module.controllers : module.providers;
  return injector.loadPerContext(prototype, module, members, contextId, wrapper);
}

/** Creates request-scoped enhancers for one context. Nest itself does so only for those of controllers. */
export async function createEnhancers(
  enhancers: readonly InstanceWrapper[],
  contextId: ContextId,
  inquirer: InstanceWrapper,
): Promise<void> {
  const host = { getEnhancersMetadata: () => enhancers };
  await injector.loadEnhancersPerContext(host as never, contextId, inquirer);
}

/**
 * Starts a context as Nest does for an HTTP request, with `request` as the value of `@Inject(REQUEST)`.
 *
 * The application's `ContextIdStrategy`, if it has one, may share the context with other requests. A shared
 * context outlives this request, so its `REQUEST` is the strategy's payload.
 */
export function startContext({ wrapper, module }: ProviderPlace, request: object): ContextId {
  const contextId = ContextIdFactory.getByRequest(request);
  Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
  const outlives = contextId.getParent !== undefined && wrapper.isDependencyTreeDurable();
  const value: unknown = outlives ? contextId.payload : Object.assign(request, contextId.payload);
  module.getProviderByKey<ModuleRef>(ModuleRef).instance.registerRequestByContextId(value, contextId);
  return contextId;
}
