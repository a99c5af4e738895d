import type { PipeTransform } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import { describeMember, methodsBelow, taskHomeOf } from '../decorators/task-metadata.js';
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
 * Nest passes over in silence what it has not made, and what a method hides that overrides or wraps
 * another: a guard that is not run would let everything through. What is bound between two decorators
 * that wrap the method cannot be seen.
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
    if (home && decorated) refuseWrapped(kind, home, key, decorated);
    for (const each of boundTo(kind, prototype, method))
      if (typeof each === 'function' && !module.injectables.has(each))
        throw new FlowrraConfigError(
          `${name} has ${KINDS[kind]} with ${each.name}, of which Nest has made no instance, as it does for providers that are listed by their class. List ${prototype.constructor.name} itself among the providers, or bind an instance: new ${each.name}(…).`,
        );
  }
}

/** A decorator that wraps a method puts another function in its place, which has none of its metadata. */
function refuseWrapped(kind: Kind, home: object, key: string, decorated: object): void {
  const bound = boundAt(kind, decorated);
  for (const method of methodsBelow(home, key))
    for (const each of boundAt(kind, method))
      if (!bound.includes(each))
        throw new FlowrraConfigError(
          `${describeMember(home, key)} has ${KINDS[kind]} with ${nameOf(each)} below a decorator that wraps the method and does not copy its metadata, so it would not run. Move ${KINDS[kind]} above that decorator.`,
        );
}

function boundTo(kind: Kind, prototype: object, method: object): (Function | object)[] {
  return [prototype.constructor, method].flatMap((target) => boundAt(kind, target));
}

function boundAt(kind: Kind, target: object): (Function | object)[] {
  return (Reflect.getMetadata(kind, target) as (Function | object)[] | undefined) ?? [];
}

function nameOf(enhancer: Function | object): string {
  return typeof enhancer === 'function' ? enhancer.name : enhancer.constructor.name;
}

function kinds(): Kind[] {
  return Object.keys(KINDS) as Kind[];
}
