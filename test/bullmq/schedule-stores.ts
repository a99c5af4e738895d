import { bullmq, type BullMqOptions } from '../../lib/engine/bullmq/index.js';
import type { ScheduleStore, ScheduleWrite } from '../../lib/engine/schedule-store.js';
import { systemClock } from '../../lib/job/clock.js';
import { hostWithoutRuns } from '../support/engine-host.js';

const open: { close(): unknown }[] = [];

/** The schedules of an engine that is connected without an application, and closed after the test. */
export async function schedulesOn(options: BullMqOptions): Promise<ScheduleStore> {
  const connected = await bullmq(options).connect(hostWithoutRuns(systemClock));
  open.push(connected);
  return connected.schedules as ScheduleStore;
}

export function write(name: string, values: Partial<ScheduleWrite> = {}): ScheduleWrite {
  return { name, expected: 0, due: 1_000, body: '{}', ...values };
}

afterEach(async () => {
  for (const connected of open.splice(0)) await connected.close();
});
