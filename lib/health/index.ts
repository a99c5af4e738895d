export { FlowrraHealthIndicator } from './flowrra-health.indicator.js';
export type { FlowrraHealthOptions } from './health-limits.js';
