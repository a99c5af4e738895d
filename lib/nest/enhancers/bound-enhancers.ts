import type { PipeTransform } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import { describeMember, methodsBelow, taskHomeOf } from '../decorators/task-metadata.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import { ENHANCER_METADATA, isShared } from '../nest-internals.js';

type Kind = keyof typeof ENHANCER_METADATA;
const KINDS = Object.keys(ENHANCER_METADATA) as Kind[];

/** Whether the method or its class has any enhancer. */
export function isAnythingBound({ prototype }: ProviderHost, method: object): boolean {
  return KINDS.some(
    (kind) => Reflect.hasMetadata(kind, prototype.constructor) || Reflect.hasMetadata(kind, method),
  );
}

/** The shared pipes of the class and of the method, in Nest's order: they can run outside of a job. */
export function staticPipesOf({ prototype, module }: ProviderHost, method: object): PipeTransform[] {
  return boundTo('__pipes__', prototype, method).flatMap((pipe) => {
    if (typeof pipe !== 'function') return [pipe as PipeTransform];
    const wrapper = module.injectables.get(pipe);
    return wrapper !== undefined && isShared(wrapper) ? [wrapper.instance as PipeTransform] : [];
  });
}

/**
 * Nest silently skips an enhancer that it has not instantiated, and one that is bound to an overridden or wrapped
 * method. A skipped guard would allow everything. An enhancer that is bound between two decorators, both of which
 * wrap the method, is not detected.
 *
 * @throws {FlowrraConfigError} if a bound enhancer would not run.
 */
export function rejectSkipped({ prototype, module }: ProviderHost, key: string, method: object): void {
  const name = describeMember(prototype, key);
  const home = taskHomeOf(prototype, key);
  const decorated = home && (Reflect.get(home, key) as object);
  for (const kind of KINDS) {
    if (decorated && Reflect.hasMetadata(kind, decorated) && !Reflect.hasMetadata(kind, method))
      throw new FlowrraConfigError(
        `${name} overrides ${describeMember(home, key)}, and Nest does not apply the ${ENHANCER_METADATA[kind]} of the overridden method. Repeat all decorators on ${name}, with @Task() at the top.`,
      );
    if (home && decorated) rejectWrapped(kind, home, key, decorated);
    for (const each of boundTo(kind, prototype, method))
      if (typeof each === 'function' && !module.injectables.has(each))
        throw new FlowrraConfigError(
          `${name} has ${ENHANCER_METADATA[kind]} with ${each.name}, which Nest has not instantiated: it does so only for providers that are listed by their class. List ${prototype.constructor.name} itself among the providers, or bind an instance: new ${each.name}(…).`,
        );
  }
}

/** A decorator that wraps a method replaces it by another function, which lacks the metadata. */
function rejectWrapped(kind: Kind, home: object, key: string, decorated: object): void {
  const bound = boundAt(kind, decorated);
  for (const method of methodsBelow(home, key))
    for (const each of boundAt(kind, method))
      if (!bound.includes(each))
        throw new FlowrraConfigError(
          `${describeMember(home, key)} has ${ENHANCER_METADATA[kind]} with ${nameOf(each)} below a decorator that wraps the method and does not copy its metadata, so ${nameOf(each)} would not run. Move ${ENHANCER_METADATA[kind]} above that decorator.`,
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
