import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Injector } from '@nestjs/core/injector/injector.js';
import { AttemptContext } from '../core/task-context.js';
import type { TaskCall } from '../runner/task-runner.interface.js';
import type { TaskHost } from './task-explorer.js';

type Method = (...args: unknown[]) => unknown;

/**
 * How to call a task's method: on the one instance of the provider, or, if it is request-scoped or
 * transient, on a fresh one for each job.
 */
export function callerOf(host: TaskHost, key: string): (args: unknown[], call: TaskCall) => unknown {
  const { wrapper } = host;
  if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) return perJob(host, key);
  const instance = wrapper.instance as Record<string, Method>;
  // Read at each call, so that whatever replaced the method since (a spy, say) is what runs.
  return (args) => (instance[key] as Method)(...args);
}

function perJob(host: TaskHost, key: string): (args: unknown[], call: TaskCall) => Promise<unknown> {
  const injector = new Injector();
  const { wrapper, module, controller, prototype } = host;
  const collection = controller ? module.controllers : module.providers;
  const moduleRef = module.getProviderByKey<ModuleRef>(ModuleRef).instance;
  return async (args, call) => {
    const contextId = ContextIdFactory.create();
    // What `@Inject(REQUEST)` gives where there is no request.
    const job = new AttemptContext(call);
    moduleRef.registerRequestByContextId(job, contextId);
    const instance = (await injector.loadPerContext(
      prototype,
      module,
      collection,
      contextId,
      wrapper,
    )) as Record<string, Method>;
    return (instance[key] as Method)(...args);
  };
}
