import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { type FlowrraModuleOptions, type FlowrraService, Task } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

/** For a spec file: starts applications, and closes them after the test that has started them. */
export function startingApps() {
  const open: TestApp[] = [];
  afterEach(async () => {
    for (const { app } of open.splice(0)) await app.close();
  });
  return async (metadata: ModuleMetadata, options: FlowrraModuleOptions = {}): Promise<TestApp> => {
    const started = await startApp(options, metadata);
    open.push(started);
    return started;
  };
}

/** What a task has returned; throws what it failed of. */
export async function run(flowrra: FlowrraService, name: string, ...args: unknown[]): Promise<unknown> {
  const result = await flowrra.waitForResult(await flowrra.submit(name, ...args));
  if (!result.isSuccess) throw new Error(result.error ?? 'no error');
  return result.result;
}

@Injectable()
export class Base {
  @Task()
  name(): string {
    return this.constructor.name;
  }

  @Task()
  overridden(): string {
    return 'base';
  }
}

@Injectable()
export class First extends Base {
  override overridden(): string {
    return `first, not ${super.overridden()}`;
  }
}

@Injectable()
export class Second extends Base {}
