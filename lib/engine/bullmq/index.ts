export { bullmq } from './bullmq-engine.js';
export type { BullMqConnection, BullMqOptions } from './bullmq-options.js';
