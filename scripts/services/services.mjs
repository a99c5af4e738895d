// Redis, PostgreSQL and MariaDB for tests and development: private instances on free ports, gone afterwards.
//
//   node scripts/services/services.mjs                     all, until Ctrl-C; prints their URLs
//   node scripts/services/services.mjs -- COMMAND ARGS…    all, for as long as the command runs
//
// A server named by FLOWRRA_TEST_REDIS_URL, FLOWRRA_TEST_POSTGRES_URL or FLOWRRA_TEST_MYSQL_URL is used
// instead of a private one.
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeExit } from './leave-nothing.mjs';
import { MariadbServer } from './mariadb-server.mjs';
import { outsideServer } from './outside-server.mjs';
import { PostgresServer } from './postgres-server.mjs';
import { RedisServer } from './redis-server.mjs';
import { findServers } from './server-programs.mjs';
import { VARIABLES } from './variables.mjs';

/** All of them, and when one fails, its error only after the others are done. */
async function all(promises) {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return outcomes.map(({ value }) => value);
}

/**
 * `durable`: what was acknowledged outlives kill() (Redis: appendonly and appendfsync always;
 * PostgreSQL: fsync and synchronous_commit on; MariaDB: fsync and innodb_flush_log_at_trx_commit=1).
 * `own`: private instances even if the variables are set, for tests which pause and kill. `cluster`: Redis
 * in cluster mode, a single node without slots.
 */
export async function startServices({
  redis = true,
  postgres = true,
  mariadb = false,
  durable = false,
  own = false,
  cluster = false,
} = {}) {
  const asked = { redis, postgres, mariadb };
  const wanted = Object.keys(asked).filter((kind) => asked[kind]);
  const outside = (kind) => !own && Boolean(process.env[VARIABLES[kind]]);
  const found = findServers(wanted.filter((kind) => !outside(kind)));

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
  const create = {
    redis: () => new RedisServer({ program: found.redis, folder, durable, cluster }),
    postgres: () => new PostgresServer({ programs: found.postgres, folder, durable }),
    mariadb: () => new MariadbServer({ programs: found.mariadb, folder, durable }),
  };
  const start = async (kind) => {
    const server = create[kind]();
    started.push(server);
    await server.prepare();
    await server.start();
    return server;
  };

  try {
    // A server that runs as another user has to reach its own folder in this one.
    chmodSync(folder, 0o711);
    const servers = await all(wanted.map((kind) => (outside(kind) ? outsideServer(kind) : start(kind))));
    const byKind = Object.fromEntries(wanted.map((kind, index) => [kind, servers[index]]));
    return {
      redisUrl: byKind.redis?.url,
      postgresUrl: byKind.postgres?.url,
      mariadbUrl: byKind.mariadb?.url,
      ...byKind,
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
