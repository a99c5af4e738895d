export type { FlowrraTelemetryOptions } from './flowrra-telemetry.js';
export { FlowrraTelemetryModule } from './flowrra-telemetry.module.js';
