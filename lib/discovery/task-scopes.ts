import { type ContextId, ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Injector } from '@nestjs/core/injector/injector.js';
import { AttemptContext } from '../core/task-context.js';
import type { TaskCall } from '../runner/task-runner.interface.js';
import type { ProviderHost } from './task-explorer.js';

/** The instance that an attempt runs on. */
export interface TaskScope {
  readonly instance: object;
  /** `undefined` where one instance serves all. */
  readonly contextId?: ContextId | undefined;
}

/** Makes the instances of one provider: the one that Nest has made, or a fresh one for each attempt. */
export class TaskScopes {
  /** Whether one instance serves all attempts. */
  readonly isStatic: boolean;
  private readonly injector = new Injector();
  /** Of attempts that are under way: enhancers and code share one. */
  private readonly made = new WeakMap<TaskCall, Promise<TaskScope>>();

  constructor(private readonly host: ProviderHost) {
    const { wrapper } = host;
    this.isStatic = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
  }

  get sharedInstance(): object {
    return this.host.wrapper.instance as object;
  }

  of(call: TaskCall): TaskScope | Promise<TaskScope> {
    if (this.isStatic) return { instance: this.sharedInstance };
    let scope = this.made.get(call);
    if (scope === undefined) this.made.set(call, (scope = this.make(call)));
    return scope;
  }

  private async make(call: TaskCall): Promise<TaskScope> {
    const { wrapper, module, controller, prototype } = this.host;
    const contextId = ContextIdFactory.create();
    // What `@Inject(REQUEST)` gives where there is no request.
    module
      .getProviderByKey<ModuleRef>(ModuleRef)
      .instance.registerRequestByContextId(new AttemptContext(call), contextId);
    const instance: object = await this.injector.loadPerContext(
      prototype,
      module,
      controller ? module.controllers : module.providers,
      contextId,
      wrapper,
    );
    return { instance, contextId };
  }
}
