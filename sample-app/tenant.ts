// sample-app/tenant.ts
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ContextOptions } from 'flowrra';

export const tenant = new AsyncLocalStorage<string>();

/** For forRoot({ context: carryTenant }). */
export const carryTenant: ContextOptions = {
  capture: () => tenant.getStore(),
  run: (captured, next) => (typeof captured === 'string' ? tenant.run(captured, next) : next()),
};
