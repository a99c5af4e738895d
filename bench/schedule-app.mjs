import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startServices } from '../scripts/services/services.mjs';
import { bullmq } from '../dist/engine/bullmq/index.js';
import { sqlite } from '../dist/engine/sqlite/index.js';
import { start } from './nest-app.mjs';

/** Starts applications on one engine: a worker with a task `tick`, which calls `ran` with its context. */
export async function schedulePlace(kind, folder) {
  const file = join(folder, 'schedules.db');
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  const services =
    kind === 'redis' || kind === 'postgres'
      ? await startServices({ redis: kind === 'redis', postgres: kind === 'postgres', own: true })
      : null;
  const connection = services?.redisUrl ?? services?.postgresUrl;
  const engine = () =>
    kind === 'memory' ? 'memory:' : kind === 'sqlite' ? sqlite({ file }) : bullmq({ connection });
  return {
    async start(ran = () => undefined, counted = (made) => made) {
      const { app, flowrra } = await start({ engine: counted(await resolved(engine())) });
      flowrra.register({ name: 'tick' }, ran);
      return { app, flowrra };
    },
    stop: async () => services?.stop(),
  };
}

async function resolved(engine) {
  if (typeof engine !== 'string') return engine;
  const { memoryEngine } = await import('../dist/engine/memory/memory-store.js');
  return memoryEngine();
}
