import type { Provider } from '@nestjs/common';
import { bullmq, type BullMqOptions } from '../../lib/engine/bullmq/index.js';
import type { FlowrraModuleOptions } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

const open: { close(): Promise<void> }[] = [];
let places = 0;

/** A prefix that nobody else uses, on a server that others may use as well. */
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
