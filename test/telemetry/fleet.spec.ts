import type { INestApplicationContext } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { FlowrraHealthIndicator } from '../../lib/health/index.js';
import type { FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { startServices, type Services } from '../../scripts/services/services.mjs';
import { startApp } from '../support/app.js';
import { type OwnPlace, ownPlace } from '../support/own-place.js';
import { Recording, startContexts, stopContexts } from './open-telemetry.js';

let services: Services;
let place: OwnPlace;
beforeAll(async () => {
  startContexts();
  services = await startServices();
  place = await ownPlace(services, 5);
});
afterAll(async () => {
  stopContexts();
  await place.remove();
  await services.stop();
});

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

interface Observed {
  readonly flowrra: FlowrraService;
  readonly health: FlowrraHealthIndicator;
  readonly told: Recording;
}

async function start(options: FlowrraModuleOptions): Promise<Observed> {
  const told = new Recording();
  const { tracerProvider, meterProvider } = told;
  const { app, flowrra } = await startApp(options, {
    imports: [
      TerminusModule.forRoot({ logger: false }),
      FlowrraTelemetryModule.forRoot({ tracerProvider, meterProvider }),
    ],
    providers: [FlowrraHealthIndicator],
  });
  open.push(app);
  return { flowrra, health: app.get(FlowrraHealthIndicator), told };
}

it.each(['redis', 'postgres'] as const)(
  'on %s a trace crosses processes, each counts its own, and both are well',
  async (server) => {
    // On PostgreSQL some events of other processes may be lost, so nothing waits for them there.
    const fleetEvents = server === 'redis';
    const engine = () => bullmq({ connection: place[server], fleetEvents });
    const web = await start({ engine: engine(), role: 'producer', remoteTasks: { ship: {} } });
    const worker = await start({ engine: engine() });
    let failed = 0;
    worker.flowrra.register({ name: 'ship', retryDelay: 0 }, () => {
      if (failed++ === 0) throw new Error('as expected');
    });
    const heard = new Promise<void>((resolve) =>
      web.flowrra.events$.subscribe(({ type }) => type === 'succeeded' && resolve()),
    );
    const ended = new Promise<void>((resolve) =>
      worker.flowrra.events$.subscribe(({ type }) => type === 'succeeded' && resolve()),
    );
    const id = await web.flowrra.submit('ship');
    expect((await web.flowrra.waitForResult(id)).status).toBe('success');
    await Promise.all([ended, ...(fleetEvents ? [heard] : [])]);

    const submitted = web.told.span('flowrra submit ship').spanContext();
    expect(worker.told.spans).toMatchObject(
      ['retry', 'success'].map((outcome) => ({
        name: 'flowrra run ship',
        parentSpanContext: { traceId: submitted.traceId, spanId: submitted.spanId },
        attributes: { 'flowrra.outcome': outcome },
      })),
    );
    expect((await worker.flowrra.jobs.get(id))?.metadata).toEqual({});
    expect(await web.told.measured('flowrra.jobs.submitted')).toEqual({ 'default ship': 1 });
    expect(await web.told.measured('flowrra.jobs.finished')).toEqual({});
    expect(await worker.told.measured('flowrra.jobs.submitted')).toEqual({});
    expect(await worker.told.measured('flowrra.jobs.finished')).toEqual({ 'default ship success': 1 });
    expect(await worker.told.measured('flowrra.queue.jobs')).toMatchObject({ 'default success': 1 });
    for (const { health } of [web, worker])
      expect(await health.isHealthy('tasks', { timeout: '10m', maxPending: 0, maxWait: '1s' })).toMatchObject(
        {
          tasks: { status: 'up', pending: 0, running: 0 },
        },
      );
  },
);
