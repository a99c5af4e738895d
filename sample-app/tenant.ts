// sample-app/tenant.ts
import { AsyncLocalStorage } from 'node:async_hooks';
import { FlowrraModule } from 'flowrra';

export const tenant = new AsyncLocalStorage<string>();

export const withTenants = FlowrraModule.forRoot({
  context: {
    capture: () => tenant.getStore(),
    run: (captured, next) => (typeof captured === 'string' ? tenant.run(captured, next) : next()),
  },
});
