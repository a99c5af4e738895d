import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { FlowrraModule, FlowrraService, Task } from 'flowrra';
import { FlowrraTelemetryModule } from 'flowrra/telemetry';
import { Work } from './cpu.module.js';

const tenant = new AsyncLocalStorage<string>();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
const tracerProvider = new BasicTracerProvider();

@Injectable()
class Main {
  @Task()
  whose(): { tenant: string | undefined; traceId: string | undefined } {
    return { tenant: tenant.getStore(), traceId: trace.getActiveSpan()?.spanContext().traceId };
  }
}

@Module({
  imports: [
    FlowrraModule.forRoot({
      cpuWorkers: 1,
      cpu: { module: new URL('./cpu.module.js', import.meta.url) },
      context: {
        capture: () => tenant.getStore(),
        run: (captured, next) => tenant.run(captured as string, next),
      },
    }),
    FlowrraTelemetryModule.forRoot({ tracerProvider }),
  ],
  providers: [Main, Work],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'], abortOnError: false });
const flowrra = app.get(FlowrraService);

/** Submits in the name of somebody, and tells in whose name and trace what that submits runs. */
async function passedOn(name: string, task: string): Promise<unknown> {
  const span = tracerProvider.getTracer('test').startSpan(name);
  const id = await context.with(trace.setSpan(context.active(), span), () =>
    tenant.run(name, () => flowrra.submit(`Work.${task}`)),
  );
  const { result } = await flowrra.waitForResult(id);
  if (typeof result !== 'string') return null;
  const followed = (await flowrra.waitForResult(result)).result as { tenant: string; traceId: string };
  return { tenant: followed.tenant, sameTrace: followed.traceId === span.spanContext().traceId };
}

const shown = {
  first: await passedOn('ada', 'passOn'),
  second: await passedOn('bob', 'passOn'),
  lingers: await passedOn('cy', 'linger'),
  wakes: await passedOn('dee', 'waken'),
};
const lingering = (await flowrra.waitForResult('lingering')).result as { tenant?: string };
await app.close();
console.log(JSON.stringify({ ...shown, lingering: lingering.tenant ?? null }));
