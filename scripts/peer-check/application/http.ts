import { deepEqual, equal, ok } from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { INVALID_SPAN_CONTEXT, type Span, trace, type Tracer, type TracerProvider } from '@opentelemetry/api';
import { FlowrraExceptionFilter, FlowrraModule, FlowrraService } from 'flowrra';
import { FlowrraHealthIndicator } from 'flowrra/health';
import { FlowrraTelemetryModule } from 'flowrra/telemetry';
import { Tasks } from './tasks.js';

/** Keeps the names of the spans that it is asked for. No SDK is used: an SDK would limit the version of the API. */
class SpanNames implements TracerProvider {
  readonly names: string[] = [];

  getTracer(): Tracer {
    const startSpan = (name: string): Span => {
      this.names.push(name);
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    };
    return { startSpan, startActiveSpan: () => undefined as never };
  }
}

const spans = new SpanNames();

@Controller()
class TasksController {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly tasks: Tasks,
    private readonly health: FlowrraHealthIndicator,
  ) {}

  @Get('greeting')
  async greeting(): Promise<unknown> {
    return this.flowrra.waitForResult(await this.flowrra.submit(this.tasks.greet, 'Ada'));
  }

  @Get('unknown')
  unknown(): Promise<unknown> {
    return this.flowrra.waitForResult('no-such-job');
  }

  @Get('health')
  isHealthy(): Promise<unknown> {
    return this.health.isHealthy('tasks');
  }
}

@Module({
  imports: [
    TerminusModule,
    FlowrraModule.forRoot({ queues: { hanging: {}, ordered: {}, limited: {} } }),
    FlowrraTelemetryModule.forRoot({ tracerProvider: spans }),
  ],
  controllers: [TasksController],
  providers: [Tasks, FlowrraHealthIndicator, { provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
})
class HttpModule {}

/** The exception filter, the health indicator and the spans, in an application that serves HTTP. */
export async function checkHttp(): Promise<void> {
  const app = await NestFactory.create(HttpModule, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/${path}`, { headers: { connection: 'close' } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const greeting = await get('greeting');
  deepEqual(greeting.body['result'], { text: 'hello Ada, attempt 1' });
  const unknown = await get('unknown');
  deepEqual([unknown.status, unknown.body['code']], [404, 'FLOWRRA_RESULT_NOT_FOUND']);
  equal((await get('health')).status, 200);
  ok(spans.names.includes('flowrra run Tasks.greet'), `the spans are ${spans.names.join(', ')}`);
  await app.close();
}
