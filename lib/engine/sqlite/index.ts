export { sqlite } from './sqlite-engine.js';
export type { SqliteOptions } from './sqlite-options.js';
