import type { ContextId } from '@nestjs/core';
import { AttemptContext, type TaskContext } from '../../run/task-context.js';
import type { TaskCall } from '../../run/task-definition.js';
import { createInContext, isShared, startContext } from '../nest-internals.js';
import type { ProviderHost } from './task-explorer.js';

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** The instance on which an attempt runs. */
export interface TaskScope {
  readonly instance: object;
  /** `undefined` for a shared instance. */
  readonly contextId?: ContextId | undefined;
  /** The value of `@Inject(REQUEST)`, for an instance of the attempt's own. */
  readonly task?: TaskContext;
}

/** Provides the instances of one provider: the shared one, or a new one for each attempt. */
export class TaskScopes {
  /** Whether one instance serves all attempts. */
  readonly isStatic: boolean;
  /** By running attempt: its enhancers and its code use the same scope. */
  private readonly created = new WeakMap<TaskCall, Promise<TaskScope>>();

  constructor(private readonly host: ProviderHost) {
    this.isStatic = isShared(host.wrapper);
  }

  get sharedInstance(): object {
    return this.host.wrapper.instance as object;
  }

  of(call: TaskCall): TaskScope | Promise<TaskScope> {
    return this.isStatic ? { instance: this.sharedInstance } : this.perAttempt(call);
  }

  /** A scope with a context of the attempt's own, even for a shared instance: its enhancers may need one. */
  perAttempt(call: TaskCall): Promise<TaskScope> {
    let scope = this.created.get(call);
    if (scope === undefined) this.created.set(call, (scope = this.create(call)));
    return scope;
  }

  private async create(call: TaskCall): Promise<TaskScope> {
    const task = new AttemptContext(call);
    const contextId = startContext(this.host, task);
    return { instance: await createInContext(this.host, contextId), contextId, task };
  }
}

/** The function that calls a task's method on the instance of its attempt. */
export function callerOf(scopes: TaskScopes, key: string): (args: unknown[], call: TaskCall) => unknown {
  if (scopes.isStatic) {
    const instance = scopes.sharedInstance as Methods;
    // The method is read at each call, so that a replacement such as a spy is called.
    return (args) => instance[key]?.(...args);
  }
  return async (args, call) => {
    const { instance } = await scopes.of(call);
    return (instance as Methods)[key]?.(...args);
  };
}
