import type { EngineHost } from '../engine.js';
import type { ResolvedBullMqOptions } from './bullmq-options.js';
import type { FleetEvents, QueueListeners } from './read/queue-events.js';
import type { BullQueues } from './server/bull-queues.js';
import type { BullServer, ServerJobs } from './server/bull-server.js';
import type { ServerReads } from './server/call-limiter.js';
import type { StartStep } from './server/open-server.js';
import type { OutageLog } from './server/outage-log.js';
import type { SharedTimeout } from './server/shared-timeout.js';
import type { BullRuns } from './work/bull-runs.js';

/** The parts of a connected engine, all of them ready for use. */
export interface BullMqParts {
  readonly host: EngineHost;
  readonly options: ResolvedBullMqOptions;
  /** The name of this process's workers, which BullMQ shows. */
  readonly worker: string;
  readonly server: BullServer;
  readonly jobs: ServerJobs;
  readonly queues: BullQueues;
  readonly listeners: QueueListeners;
  /** `null` unless the option `fleetEvents` is set. */
  readonly fleet: FleetEvents | null;
  readonly runs: BullRuns;
  readonly reads: ServerReads;
  /** The timeout of submissions and queries. */
  readonly timeout: SharedTimeout;
  readonly outages: OutageLog;
  /** Runs a step of the start. */
  readonly step: StartStep;
}
