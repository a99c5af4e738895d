import { type ContextId, ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Injector } from '@nestjs/core/injector/injector.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { AttemptContext, type TaskContext } from '../../run/task-context.js';
import type { TaskCall } from '../../run/task-definition.js';
import { type ProviderHost, servesAll } from './task-explorer.js';

/** The instance that an attempt runs on. */
export interface TaskScope {
  readonly instance: object;
  /** `undefined` where one instance serves all. */
  readonly contextId?: ContextId | undefined;
  /** What `@Inject(REQUEST)` gives, in a scope of its own. */
  readonly task?: TaskContext;
}

/** Makes the instances of one provider: the one that Nest has made, or a fresh one for each attempt. */
export class TaskScopes {
  /** Whether one instance serves all attempts. */
  readonly isStatic: boolean;
  private readonly injector = new Injector();
  /** Of attempts that are under way: enhancers and code share one. */
  private readonly made = new WeakMap<TaskCall, Promise<TaskScope>>();

  constructor(private readonly host: ProviderHost) {
    this.isStatic = servesAll(host.wrapper);
  }

  get sharedInstance(): object {
    return this.host.wrapper.instance as object;
  }

  of(call: TaskCall): TaskScope | Promise<TaskScope> {
    return this.isStatic ? { instance: this.sharedInstance } : this.ofItsOwn(call);
  }

  /** With a context of the job's own also where one instance serves all: for what is made anew around it. */
  ofItsOwn(call: TaskCall): Promise<TaskScope> {
    let scope = this.made.get(call);
    if (scope === undefined) this.made.set(call, (scope = this.make(call)));
    return scope;
  }

  private async make(call: TaskCall): Promise<TaskScope> {
    const { wrapper, module, controller, prototype } = this.host;
    const task = new AttemptContext(call);
    const contextId = this.enter(task);
    const instance: object = await this.injector.loadPerContext(
      prototype,
      module,
      controller ? module.controllers : module.providers,
      contextId,
      wrapper,
    );
    return { instance, contextId, task };
  }

  /**
   * As Nest begins a request, with the job in its place: what `@Inject(REQUEST)` gives. The
   * application's ContextIdStrategy, if it has one, says what is shared with other jobs and requests;
   * that outlives the job, and is given the strategy's payload instead.
   */
  private enter(task: AttemptContext): ContextId {
    const { wrapper, module } = this.host;
    const contextId = ContextIdFactory.getByRequest(task);
    Object.defineProperty(task, REQUEST_CONTEXT_ID, { value: contextId });
    const isShared = contextId.getParent !== undefined && wrapper.isDependencyTreeDurable();
    const request: unknown = isShared ? contextId.payload : Object.assign(task, contextId.payload);
    module.getProviderByKey<ModuleRef>(ModuleRef).instance.registerRequestByContextId(request, contextId);
    return contextId;
  }
}
