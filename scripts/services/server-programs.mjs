// Where the server programs are: on PATH, or where the package managers put them.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { installServers } from './install-servers.mjs';
import { VARIABLES } from './variables.mjs';

const OLDEST_POSTGRES = 13;
// The first one with SELECT … FOR UPDATE SKIP LOCKED.
const OLDEST_MARIADB = [10, 6];
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

function mariadbIsRecent(program) {
  try {
    const version = execFileSync(program, ['--no-defaults', '--version'], { encoding: 'utf8' });
    const [, major, minor] = /Ver (\d+)\.(\d+)/.exec(version).map(Number);
    return major > OLDEST_MARIADB[0] || (major === OLDEST_MARIADB[0] && minor >= OLDEST_MARIADB[1]);
  } catch {
    return false;
  }
}

/** The programs `server` and `installDb`. */
function findMariadb() {
  const folders = [
    ...onPath(),
    // Not on every user's PATH: Debian and Fedora have mariadbd there.
    '/usr/sbin',
    '/usr/libexec',
    ...HOMEBREW.flatMap((folder) => versions(join(folder, 'opt'), /^mariadb(@[\d.]+)?$/)),
  ];
  const server = folders
    .map((folder) => join(folder, 'mariadbd'))
    .find((file) => runnable(file) && mariadbIsRecent(file));
  if (!server) return undefined;
  // Of the same installation as the server.
  const beside = (name) =>
    ['.', '../bin'].map((folder) => join(dirname(server), folder, name)).find(runnable);
  const installDb = beside('mariadb-install-db');
  // mariadb-install-db needs it, and Debian has it among the client's programs.
  return installDb && beside('my_print_defaults') ? { server, installDb } : undefined;
}

const KINDS = {
  redis: { find: findRedis, title: 'redis-server (or valkey-server)', packages: ['redis-server'] },
  postgres: {
    find: findPostgres,
    title: `PostgreSQL ${OLDEST_POSTGRES} or later`,
    packages: ['postgresql'],
  },
  mariadb: {
    find: findMariadb,
    title: `MariaDB ${OLDEST_MARIADB.join('.')} or later`,
    // Not mariadb-server, which creates a system service and its data.
    packages: ['mariadb-server-core', 'mariadb-client-core'],
  },
};

/** Paths by kind of server; installs what is missing where that is possible, and throws otherwise. */
export function findServers(kinds) {
  const found = {};
  const look = () => {
    for (const kind of kinds) found[kind] ??= KINDS[kind].find();
    return kinds.filter((kind) => !found[kind]);
  };
  if (look().length === 0) return found;
  const trouble = installServers(look().flatMap((kind) => KINDS[kind].packages));
  const missing = look();
  if (missing.length === 0) return found;

  const packages = missing.flatMap((kind) => KINDS[kind].packages);
  const variables = missing.map((kind) => VARIABLES[kind]);
  throw new Error(
    [
      `Not found: ${missing.map((kind) => KINDS[kind].title).join(' and ')}. ${trouble}`,
      'Do one of these:',
      `- install: apt-get install ${packages.join(' ')}, or your system's equivalent;`,
      `- or use servers which run elsewhere: set ${variables.join(' and ')} (see docker-compose.yml);`,
    ].join('\n'),
  );
}
