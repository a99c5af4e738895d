// One application with a given set of versions: installed, compiled with all declarations checked, and run.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from '../services/variables.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const SQLITE = 'node_modules/better-sqlite3';

const versionIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;

/**
 * better-sqlite3 is the only peer that has to be built. A build of the same version is copied from this
 * repository. Otherwise a published binary is used, or else it is compiled without optimization, which
 * takes a fraction of the time.
 */
async function provideSqlite(folder, run) {
  const [own, needed] = [join(root, SQLITE), join(folder, SQLITE)];
  if (existsSync(join(own, 'build/Release/better_sqlite3.node')) && versionIn(own) === versionIn(needed))
    cpSync(join(own, 'build'), join(needed, 'build'), { recursive: true });
  else
    await run('npm', ['rebuild', 'better-sqlite3', '--loglevel=error'], {
      cwd: folder,
      env: { ...process.env, JOBS: 'max', CFLAGS: '-O0', CXXFLAGS: '-O0' },
    });
}

/** Makes an application in the folder that is compiled and ready to run. */
export async function makeProject(folder, { versions, tarball, run }) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      name: 'peer-check',
      private: true,
      type: 'module',
      dependencies: { ...versions, flowrra: `file:${tarball}` },
      devDependencies: { '@types/node': '20', '@types/pg': '8', typescript: '~6.0.3' },
    }),
  );
  // npm rejects versions that do not fit each other, unlike with --legacy-peer-deps.
  await run(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'],
    {
      cwd: folder,
    },
  );
  await provideSqlite(folder, run);
  cpSync(join(root, 'scripts/peer-check/application'), join(folder, 'src'), { recursive: true });
  await run('npx', ['tsc', '-p', 'src'], { cwd: folder });
}

/** Resolves with the output of the program. Rejects unless it ends by itself, with exit code 0, within 120 s. */
export function runProject(folder, { services, run }) {
  return run('node', ['--no-warnings', 'src/out/main.js'], {
    cwd: folder,
    timeout: 120_000,
    env: { ...process.env, ...environment(services) },
  });
}
