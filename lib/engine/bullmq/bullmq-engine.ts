import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Capability, ConnectedEngine, Engine, EngineHost } from '../engine.js';
import {
  type BullMqOptions,
  isPostgres,
  resolveBullMqOptions,
  type ResolvedBullMqOptions,
} from './bullmq-options.js';
import { ConnectedBullMq } from './connected-bullmq.js';
import { keepRuleOf } from './job-mapping.js';
import { FleetEvents, QueueListeners } from './read/queue-events.js';
import { BullQueues } from './server/bull-queues.js';
import { ServerReads } from './server/call-limiter.js';
import { openServer, startSteps } from './server/open-server.js';
import { OutageLog } from './server/outage-log.js';
import { SharedTimeout, untilClosed } from './server/shared-timeout.js';
import { BullRuns } from './work/bull-runs.js';

const ALWAYS: readonly Capability[] = [
  'shared',
  'fleetLimits',
  'results',
  'control',
  'schedules',
  'journals',
];
const TRANSACTIONS: readonly Capability[] = ['transactions'];

/** The engine for many machines: BullMQ over Redis or PostgreSQL. */
export class BullMqEngine implements Engine {
  readonly name = 'bullmq';
  readonly durable = true;
  readonly supports: ReadonlySet<Capability>;

  constructor(private readonly options: ResolvedBullMqOptions) {
    this.supports = new Set([...ALWAYS, ...(isPostgres(options.connection) ? TRANSACTIONS : [])]);
  }

  /** Leaves no connection behind if it rejects. */
  async connect(host: EngineHost): Promise<ConnectedEngine> {
    const { options } = this;
    const { clock, retention } = host;
    const names = host.queues.map(({ name }) => name);
    // The server connects, and may report errors, only after the log exists.
    const server = await openServer(options, names.length, (error) => outages.report(error));
    const open: { close(): Promise<void> }[] = [server];
    const outages = new OutageLog(server);
    const step = startSteps(server, options, outages, host.closing);
    const jobs = server.jobs(keepRuleOf(retention), clock.now);
    const droppedUntil = (): number => clock.now() - retention.resultTtl;
    try {
      const queues = await step(async () => {
        await server.connect();
        return BullQueues.open(names, server, jobs, droppedUntil, outages.report);
      });
      open.unshift(queues);
      const worker = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
      const listeners = new QueueListeners(server, outages);
      open.unshift(listeners);
      const fleet = options.fleetEvents ? new FleetEvents(worker, queues, host, outages) : null;
      if (fleet !== null) await step(() => fleet.start(listeners));
      const runs = new BullRuns(names, clock);
      const timeout = new SharedTimeout(options.submitTimeout);
      const reads = new ServerReads(server, timeout);
      const opened = { server, jobs, queues, listeners, fleet, runs, reads, timeout, outages, step };
      return new ConnectedBullMq({ host, options, worker, ...opened });
    } catch (error) {
      for (const part of open) await untilClosed(part.close());
      throw error;
    }
  }
}

/**
 * The engine for many machines, over Redis or PostgreSQL.
 *
 * @throws {FlowrraConfigError} naming an invalid option.
 */
export function bullmq(options: BullMqOptions): BullMqEngine {
  return new BullMqEngine(resolveBullMqOptions(options));
}
