import type { ResolvedQueue } from '../../../job/queue.js';
import type { BullQueues } from '../server/bull-queues.js';

/** Beside BullMQ's own field: that it was set by an application's options, and goes when they do. */
const OURS = 'flowrra.concurrency';

/** Lets all processes together run no more of a queue than the options of the one that was started last say. */
export async function limitFleet(queues: BullQueues, options: readonly ResolvedQueue[]): Promise<void> {
  await Promise.all(
    options.map(async ({ name, fleetConcurrency }) => {
      const meta = queues.get(name).getBackend();
      if (fleetConcurrency !== Infinity)
        await meta.setQueueMeta({ concurrency: fleetConcurrency, [OURS]: fleetConcurrency });
      else if (await meta.hasQueueMetaField(OURS)) await meta.removeQueueMetaFields(['concurrency', OURS]);
    }),
  );
}
