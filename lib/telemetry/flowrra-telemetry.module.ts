import { type DynamicModule, Module } from '@nestjs/common';
import { checkKeys, keysOf } from '../job/check.js';
import { FLOWRRA_INSTRUMENT } from '../run/instrumentation.js';
import { FlowrraTelemetry, type FlowrraTelemetryOptions, TELEMETRY_OPTIONS } from './flowrra-telemetry.js';

const KEYS = keysOf<FlowrraTelemetryOptions>({ tracerProvider: true, meterProvider: true });

/**
 * Traces and metrics of tasks through `@opentelemetry/api`. Import it beside `FlowrraModule.forRoot()`,
 * in an application whose SDK has been started before.
 */
@Module({})
export class FlowrraTelemetryModule {
  /** @throws {FlowrraConfigError} if an option is unknown. */
  static forRoot(options: FlowrraTelemetryOptions = {}): DynamicModule {
    checkKeys(options, KEYS, 'FlowrraTelemetryModule options');
    return {
      module: FlowrraTelemetryModule,
      // FlowrraModule injects the instrument, and does not import this module.
      global: true,
      providers: [
        { provide: TELEMETRY_OPTIONS, useValue: options },
        FlowrraTelemetry,
        { provide: FLOWRRA_INSTRUMENT, useExisting: FlowrraTelemetry },
      ],
      exports: [FLOWRRA_INSTRUMENT],
    };
  }
}
