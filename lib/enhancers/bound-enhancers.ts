import type { PipeTransform } from '@nestjs/common';
import { FlowrraConfigError } from '../core/errors.js';
import { describeMember, taskHomeOf } from '../decorators/task-metadata.js';
import { type ProviderHost, servesAll } from '../discovery/task-explorer.js';

/** Where Nest's decorators note what is bound to a class or a method, and their names. */
const KINDS = {
  __guards__: '@UseGuards()',
  __interceptors__: '@UseInterceptors()',
  __pipes__: '@UsePipes()',
  __exceptionFilters__: '@UseFilters()',
} as const;

type Kind = keyof typeof KINDS;

/** Whether anything at all is bound to the method or its class: most have nothing. */
export function isAnythingBound({ prototype }: ProviderHost, method: object): boolean {
  return kinds().some(
    (kind) => Reflect.hasMetadata(kind, prototype.constructor) || Reflect.hasMetadata(kind, method),
  );
}

/**
 * The pipes that can judge arguments outside of every job: those that are one instance for all. Class
 * and method, in Nest's order.
 */
export function staticPipesOf({ prototype, module }: ProviderHost, method: object): PipeTransform[] {
  return boundTo('__pipes__', prototype, method).flatMap((pipe) => {
    if (typeof pipe !== 'function') return [pipe as PipeTransform];
    const wrapper = module.injectables.get(pipe);
    return wrapper !== undefined && servesAll(wrapper) ? [wrapper.instance as PipeTransform] : [];
  });
}

/**
 * Nest passes over in silence what it has not made, and what a method hides that overrides another: a
 * guard that nobody asks would let everything through.
 *
 * @throws {FlowrraConfigError} if something that is bound would not run.
 */
export function refuseSilent({ prototype, module }: ProviderHost, key: string, method: object): void {
  const name = describeMember(prototype, key);
  const home = taskHomeOf(prototype, key);
  const decorated = home && (Reflect.get(home, key) as object);
  for (const kind of kinds()) {
    if (decorated && Reflect.hasMetadata(kind, decorated) && !Reflect.hasMetadata(kind, method))
      throw new FlowrraConfigError(
        `${name} overrides ${describeMember(home, key)}, and Nest does not pass on the ${KINDS[kind]} of that. Repeat the decorators on ${name}, @Task() first of all.`,
      );
    for (const each of boundTo(kind, prototype, method))
      if (typeof each === 'function' && !module.injectables.has(each))
        throw new FlowrraConfigError(
          `${name} has ${KINDS[kind]} with ${each.name}, of which Nest has made no instance, as it does for providers that are listed by their class. List ${prototype.constructor.name} itself among the providers, or bind an instance: new ${each.name}(…).`,
        );
  }
}

function boundTo(kind: Kind, prototype: object, method: object): (Function | object)[] {
  return [prototype.constructor, method].flatMap(
    (target) => (Reflect.getMetadata(kind, target) as (Function | object)[] | undefined) ?? [],
  );
}

function kinds(): Kind[] {
  return Object.keys(KINDS) as Kind[];
}
