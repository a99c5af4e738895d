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
  if (scheme === 'sqlite') {
    const { sqlite } = await import('./sqlite/sqlite-engine.js');
    const { fileOfUrl } = await import('./sqlite/sqlite-options.js');
    return sqlite({ file: fileOfUrl(engine) });
  }
  throw new FlowrraConfigError(
    `engine: '${engine}' names no engine of this version. Known: 'memory:', 'sqlite:./path/to/file.db', or an Engine object.`,
  );
}
