import { FlowrraConfigError } from '../core/errors.js';
import type { Engine } from './engine.interface.js';

/** Loads the engine that a URL names, and nothing of the others. */
export async function resolveEngine(engine: string | Engine): Promise<Engine> {
  if (typeof engine !== 'string') return engine;
  const scheme = /^([a-z]+):/i.exec(engine)?.[1]?.toLowerCase();
  if (scheme === 'memory') {
    const { memoryEngine } = await import('./memory/memory-engine.js');
    return memoryEngine();
  }
  throw new FlowrraConfigError(
    `engine: '${engine}' names no engine of this version. Known: 'memory:', or an Engine object.`,
  );
}
