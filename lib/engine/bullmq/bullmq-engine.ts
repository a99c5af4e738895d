import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Capability, ConnectedEngine, Engine, EngineHost } from '../engine.js';
import { type BullMqOptions, resolveBullMqOptions, type ResolvedBullMqOptions } from './bullmq-options.js';
import { ConnectedBullMq } from './connected-bullmq.js';
import { keepRuleOf } from './job-mapping.js';
import { FleetEvents, QueueListeners } from './read/queue-events.js';
import { BullQueues } from './server/bull-queues.js';
import { openServer, startSteps } from './server/open-server.js';
import { OutageLog } from './server/outage-log.js';
import { atMost } from './server/shared-timeout.js';

/** The longest that the end of a failed start waits for the server. */
const CLOSE_MS = 1_000;

/** The engine for many machines: BullMQ over Redis or PostgreSQL. */
export class BullMqEngine implements Engine {
  readonly name = 'bullmq';
  readonly durable = true;
  readonly supports: ReadonlySet<Capability> = new Set(['shared', 'fleetLimits', 'results', 'control']);

  constructor(private readonly options: ResolvedBullMqOptions) {}

  /** Leaves no connection behind if it rejects. */
  async connect(host: EngineHost): Promise<ConnectedEngine> {
    const { options } = this;
    const { clock, retention } = host;
    // The server connects, and may report errors, only after the log exists.
    const server = await openServer(options, host.queues.length, (error) => outages.report(error));
    const outages = new OutageLog(server);
    const step = startSteps(server, options, outages, host.closing);
    const jobs = server.jobs(keepRuleOf(retention), clock.now);
    // BullMQ shows this name as the worker that ran a job.
    const worker = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    try {
      const queues = await step(async () => {
        await server.connect();
        const names = host.queues.map(({ name }) => name);
        const droppedUntil = (): number => clock.now() - retention.resultTtl;
        return BullQueues.open(names, server, jobs, droppedUntil, outages.report);
      });
      const listeners = new QueueListeners(server, outages);
      let fleet: FleetEvents | null = null;
      if (options.fleetEvents) {
        const events = new FleetEvents(
          worker,
          queues,
          (event) => host.notify({ type: 'remote', event }),
          outages,
        );
        await step(() => events.start(listeners));
        fleet = events;
      }
      return new ConnectedBullMq({
        worker,
        options,
        host,
        server,
        jobs,
        queues,
        listeners,
        fleet,
        outages,
        step,
      });
    } catch (error) {
      await atMost(CLOSE_MS, server.close());
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
