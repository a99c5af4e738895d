import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { describeMember, type TaskMetadata, taskMetadataOf } from '../decorators/task-metadata.js';
import { type InstanceWrapper, isShared, type Module, type ProviderPlace } from '../nest-internals.js';
import type { DeclaredQueues } from '../options/queue-options.js';
import { featuresOf } from './feature-queues.js';

/** A provider or controller. */
export type ProviderHost = ProviderPlace;

/** A provider or controller with tasks. */
export interface TaskHost extends ProviderHost {
  readonly tasks: ReadonlyMap<string, TaskMetadata>;
}

/** Finds the providers and controllers of the application, and those that have `@Task()` methods. */
@Injectable()
export class TaskExplorer {
  constructor(private readonly modules: ModulesContainer) {}

  /** @throws {FlowrraConfigError} for an unknown option of a `forFeature()`. */
  features(): DeclaredQueues[] {
    return featuresOf(this.modules);
  }

  *hosts(): Iterable<TaskHost> {
    for (const host of this.providers()) {
      const tasks = taskMetadataOf(host.prototype);
      if (tasks.size > 0) yield { ...host, tasks };
    }
  }

  *providers(): Iterable<ProviderHost> {
    for (const module of this.modules.values()) {
      for (const wrapper of module.providers.values()) yield* this.host(wrapper, module, false);
      for (const wrapper of module.controllers.values()) yield* this.host(wrapper, module, true);
    }
  }

  /** The tokens of `useExisting` providers, each with the token that it refers to. */
  *aliases(): Iterable<{ readonly alias: unknown; readonly token: unknown }> {
    for (const module of this.modules.values()) {
      for (const wrapper of module.providers.values()) {
        const [token] = wrapper.isAlias ? (wrapper.inject ?? []) : [];
        if (token !== undefined) yield { alias: wrapper.token, token };
      }
    }
  }

  private *host(wrapper: InstanceWrapper, module: Module, controller: boolean): Iterable<ProviderHost> {
    if (wrapper.isAlias) return;
    const prototype = prototypeOf(wrapper);
    if (prototype !== null) yield { wrapper, module, controller, prototype };
  }
}

/** The functions that identify the task at submission: a wrapper on the instance hides the prototype's method. */
export function functionsOf({ prototype, wrapper }: TaskHost, key: string): unknown[] {
  const functions: unknown[] = [Reflect.get(prototype, key)];
  if (isShared(wrapper)) functions.push(Reflect.get(wrapper.instance as object, key));
  return functions;
}

/** Names a task's method in errors. */
export function originOf({ prototype, module }: ProviderHost, key: string): string {
  return `${describeMember(prototype, key)} in ${module.name}`;
}

/**
 * The prototype with the provider's methods. A request-scoped provider has no instance yet, so its class is
 * used; for a factory, its token if that is a class.
 */
function prototypeOf(wrapper: InstanceWrapper): object | null {
  const instance: unknown = isShared(wrapper) ? wrapper.instance : undefined;
  if (typeof instance === 'object' && instance !== null)
    return Object.getPrototypeOf(instance) as object | null;
  const type = wrapper.isNotMetatype ? wrapper.token : wrapper.metatype;
  return typeof type === 'function' ? ((type as { prototype?: object }).prototype ?? null) : null;
}
