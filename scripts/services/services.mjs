// Redis and PostgreSQL for tests and development: private instances on free ports, gone afterwards.
//
//   node scripts/services/services.mjs                     both, until Ctrl-C; prints their URLs
//   node scripts/services/services.mjs -- COMMAND ARGS…    both, for as long as the command runs
//
// A server named by FLOWRRA_TEST_REDIS_URL or FLOWRRA_TEST_POSTGRES_URL is used instead of a private one.
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeExit } from './leave-nothing.mjs';
import { outsideServer } from './outside-server.mjs';
import { PostgresServer } from './postgres-server.mjs';
import { RedisServer } from './redis-server.mjs';
import { findServers } from './server-programs.mjs';

/** All of them, and when one fails, its error only after the others are done. */
async function all(promises) {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return outcomes.map(({ value }) => value);
}

/**
 * `durable`: what was acknowledged outlives kill() (Redis: appendonly and appendfsync always;
 * PostgreSQL: fsync and synchronous_commit on). `own`: private instances even if the variables are set,
 * for tests which pause and kill. `cluster`: Redis in cluster mode, a single node without slots.
 */
export async function startServices({
  redis = true,
  postgres = true,
  durable = false,
  own = false,
  cluster = false,
} = {}) {
  const outside = (variable) => !own && Boolean(process.env[variable]);
  const redisOutside = redis && outside('FLOWRRA_TEST_REDIS_URL');
  const postgresOutside = postgres && outside('FLOWRRA_TEST_POSTGRES_URL');
  const found = findServers({ redis: redis && !redisOutside, postgres: postgres && !postgresOutside });

  const started = [];
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-services-'));
  const removeFolder = () =>
    // What was just killed may still write a last file.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  const disarm = beforeExit(() => {
    for (const server of started) server.killNow();
    removeFolder();
  });
  const stop = async () => {
    await all(started.map((server) => server.stop()));
    for (const server of started) server.release();
    removeFolder();
    disarm();
  };
  const start = async (server) => {
    started.push(server);
    await server.prepare();
    await server.start();
    return server;
  };

  try {
    // PostgreSQL's user, when it is another one, has to reach its own folder in this one.
    chmodSync(folder, 0o711);
    const [redisServer, postgresServer] = await all([
      redisOutside
        ? outsideServer('FLOWRRA_TEST_REDIS_URL')
        : found.redis && start(new RedisServer({ program: found.redis, folder, durable, cluster })),
      postgresOutside
        ? outsideServer('FLOWRRA_TEST_POSTGRES_URL')
        : found.postgres && start(new PostgresServer({ programs: found.postgres, folder, durable })),
    ]);
    return {
      redisUrl: redisServer?.url,
      postgresUrl: postgresServer?.url,
      redis: redisServer,
      postgres: postgresServer,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { runCommand } = await import('./command.mjs');
  await runCommand(process.argv.slice(2), startServices);
}
