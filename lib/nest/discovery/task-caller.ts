import type { TaskCall } from '../../run/task-definition.js';
import type { TaskScopes } from './task-scopes.js';

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** How to call a task's method, on the instance that its attempt runs on. */
export function callerOf(scopes: TaskScopes, key: string): (args: unknown[], call: TaskCall) => unknown {
  if (scopes.isStatic) {
    const instance = scopes.sharedInstance as Methods;
    // Read at each call, so that whatever replaced the method since (a spy, say) is what runs.
    return (args) => instance[key]?.(...args);
  }
  return async (args, call) => {
    const { instance } = await scopes.of(call);
    return (instance as Methods)[key]?.(...args);
  };
}
