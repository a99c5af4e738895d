import { Injectable, type Provider } from '@nestjs/common';
import { bullmq, type BullMqOptions } from '../../lib/engine/bullmq/index.js';
import { type FlowrraModuleOptions, type FlowrraService, Task } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

const open: { close(): Promise<void> }[] = [];
let places = 0;

/** A unique prefix, for a server that other specs may use. */
export function place(): string {
  return `p${process.pid}-${Math.trunc(performance.now())}-${places++}`;
}

/** A started application on a real server, closed after the test. */
export async function startOn(
  options: BullMqOptions,
  provider: Provider,
  more: FlowrraModuleOptions = {},
): Promise<TestApp> {
  const started = await startApp({ engine: bullmq(options), ...more }, { providers: [provider] });
  open.push(started.app);
  return started;
}

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** A task that shows that an application works. */
@Injectable()
export class Work {
  @Task()
  double(n: number): number {
    return 2 * n;
  }
}

export async function doubles(flowrra: FlowrraService, n: number): Promise<unknown> {
  const { result } = await flowrra.waitForResult(await flowrra.submit('Work.double', n));
  return result;
}
