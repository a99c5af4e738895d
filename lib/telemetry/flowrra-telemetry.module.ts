import { type DynamicModule, Module } from '@nestjs/common';
import { FlowrraTelemetry, type FlowrraTelemetryOptions, TELEMETRY_OPTIONS } from './flowrra-telemetry.js';

/**
 * Traces and metrics of tasks through `@opentelemetry/api`. Import it beside `FlowrraModule.forRoot()`,
 * in an application whose SDK has been started before.
 */
@Module({})
export class FlowrraTelemetryModule {
  static forRoot(options: FlowrraTelemetryOptions = {}): DynamicModule {
    return {
      module: FlowrraTelemetryModule,
      providers: [{ provide: TELEMETRY_OPTIONS, useValue: options }, FlowrraTelemetry],
    };
  }
}
