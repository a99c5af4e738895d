import { FlowrraConfigError } from '../job/errors.js';
import { masked } from '../job/show-value.js';
import type { Engine } from './engine.js';

/** Loads the engine of a URL, and no code of the other engines. */
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
  if (/^(rediss?|postgres(ql)?)$/.test(scheme ?? '')) {
    const { bullmq } = await loadBullMq(/^p/i.test(engine) ? 'pg' : 'ioredis');
    return bullmq({ connection: engine });
  }
  throw new FlowrraConfigError(
    `engine: '${masked(engine)}' is not the URL of a known engine. Known: 'memory:', 'sqlite:./path/to/file.db', 'redis://host:6379', 'postgres://user@host/database', or an Engine object.`,
  );
}

async function loadBullMq(client: string): Promise<typeof import('./bullmq/bullmq-engine.js')> {
  try {
    return await import('./bullmq/bullmq-engine.js');
  } catch (cause) {
    throw new FlowrraConfigError(
      `This engine needs the packages bullmq and ${client}. Run: npm install bullmq ${client}`,
      { cause },
    );
  }
}
