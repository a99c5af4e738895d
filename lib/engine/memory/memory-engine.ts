import { EmbeddedEngine } from '../embedded/embedded-engine.js';
import { MemoryStore } from './memory-store.js';

/** The engine that needs nothing but the process it lives in, and keeps nothing when that ends. */
export function memoryEngine(): EmbeddedEngine {
  return new EmbeddedEngine('memory', new MemoryStore());
}
