import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';
import type { DeclaredQueues } from '../options/merge-features.js';
import { featuresOf } from './feature-queues.js';
import { describeMember, type TaskMetadata, taskMetadataOf } from '../decorators/task-metadata.js';

/** A provider or controller. */
export interface ProviderHost {
  readonly wrapper: InstanceWrapper;
  readonly module: Module;
  /** Whether the module has it among its controllers. */
  readonly controller: boolean;
  /** The class whose methods count. */
  readonly prototype: object;
}

/** One with tasks. */
export interface TaskHost extends ProviderHost {
  readonly tasks: ReadonlyMap<string, TaskMetadata>;
}

/** Finds the providers and controllers, and those that have `@Task()` methods. Knows nothing of what becomes of them. */
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

  /** Other tokens under which the same instance is injected (`useExisting`), with the token they stand for. */
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

/** Whether one instance serves everybody: neither the provider, nor what it depends on, is made anew for anyone. */
export function servesAll(wrapper: InstanceWrapper): boolean {
  return wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
}

export function originOf({ prototype, module }: TaskHost, key: string): string {
  return `${describeMember(prototype, key)} in ${module.name}`;
}

/**
 * The prototype whose methods count. A provider that lives for one request has no instance to look
 * at: its class stands in, or for a factory the token, if that is a class.
 */
function prototypeOf(wrapper: InstanceWrapper): object | null {
  const instance: unknown = servesAll(wrapper) ? wrapper.instance : undefined;
  if (typeof instance === 'object' && instance !== null)
    return Object.getPrototypeOf(instance) as object | null;
  const made = wrapper.isNotMetatype ? wrapper.token : wrapper.metatype;
  return typeof made === 'function' ? ((made as { prototype?: object }).prototype ?? null) : null;
}
