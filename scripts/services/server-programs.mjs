// Where the server programs are: on PATH, or where the package managers put them.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { installServers } from './install-servers.mjs';

const OLDEST_POSTGRES = 13;
const HOMEBREW = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];

const onPath = () => (process.env.PATH ?? '').split(delimiter).filter(Boolean);

function runnable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Folders below `parent` whose name fits, the newest version first. */
function versions(parent, pattern) {
  try {
    const number = (name) => Number(/\d+/.exec(name)?.[0] ?? 0);
    return readdirSync(parent)
      .filter((name) => pattern.test(name))
      .sort((a, b) => number(b) - number(a))
      .map((name) => join(parent, name, 'bin'));
  } catch {
    return [];
  }
}

function findRedis() {
  const folders = [...onPath(), ...HOMEBREW.map((folder) => join(folder, 'bin'))];
  for (const name of ['redis-server', 'valkey-server']) {
    const found = folders.map((folder) => join(folder, name)).find(runnable);
    if (found) return found;
  }
  return undefined;
}

function postgresVersion(program) {
  try {
    return Number(/\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0]);
  } catch {
    return NaN;
  }
}

/** The folder with initdb and postgres. */
function findPostgres() {
  const folders = [
    ...onPath(),
    ...versions('/usr/lib/postgresql', /^\d+$/),
    ...versions('/usr', /^pgsql-\d+$/),
    ...HOMEBREW.flatMap((folder) => versions(join(folder, 'opt'), /^postgresql(@\d+)?$/)),
  ];
  return folders
    .filter((folder) => runnable(join(folder, 'initdb')))
    .flatMap((folder) => [dirname(realpathSync(join(folder, 'initdb'))), folder])
    .find(
      (folder) =>
        runnable(join(folder, 'postgres')) && postgresVersion(join(folder, 'postgres')) >= OLDEST_POSTGRES,
    );
}

/** Paths of what was asked for; installs what is missing where that is possible, and throws otherwise. */
export function findServers({ redis, postgres }) {
  const look = () => ({
    redis: redis ? findRedis() : undefined,
    postgres: postgres ? findPostgres() : undefined,
  });
  const missing = (found) => [
    ...(redis && !found.redis ? ['redis-server'] : []),
    ...(postgres && !found.postgres ? ['postgresql'] : []),
  ];
  let found = look();
  if (missing(found).length === 0) return found;
  const trouble = installServers(missing(found));
  found = look();
  if (missing(found).length === 0) return found;

  const names = missing(found).map((name) =>
    name === 'redis-server' ? 'redis-server (or valkey-server)' : `PostgreSQL ${OLDEST_POSTGRES} or later`,
  );
  const variables = missing(found).map((name) =>
    name === 'redis-server' ? 'FLOWRRA_TEST_REDIS_URL' : 'FLOWRRA_TEST_POSTGRES_URL',
  );
  throw new Error(
    [
      `Not found: ${names.join(' and ')}. ${trouble}`,
      'Do one of these:',
      `- install: apt-get install ${missing(found).join(' ')}, or your system's equivalent;`,
      `- or use servers which run elsewhere: set ${variables.join(' and ')} (see docker-compose.yml);`,
    ].join('\n'),
  );
}
