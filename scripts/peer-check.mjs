// Proves the ranges of the peer dependencies at both ends: packs the built library, and runs one
// application with the lowest version of every range and one with the highest.
//
//   node scripts/peer-check.mjs            both sets
//   node scripts/peer-check.mjs lowest     one of them
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeProject, runProject } from './peer-check/project.mjs';
import { versionSets } from './peer-check/version-sets.mjs';
import { startServices } from './services/services.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What the command prints on the standard output; an error has it in its message. */
async function run(command, args, options = {}) {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: root,
      maxBuffer: 2 ** 26,
      ...options,
    });
    return stdout;
  } catch (error) {
    const why = error.killed ? `did not end within ${options.timeout} ms` : 'failed';
    const printed = error.stdout || error.stderr ? `${error.stdout}${error.stderr}` : error.message;
    throw new Error(`${command} ${args.join(' ')} ${why}:\n${printed}`);
  }
}

async function check(name, versions, { tarball, services }) {
  const list = Object.entries(versions).map(([peer, version]) => `${peer}@${version}`);
  console.log(`${name}: ${list.join(' ')}`);
  const began = performance.now();
  const folder = join(scratch, name);
  try {
    await makeProject(folder, { versions, tarball, run });
    console.log(`  installed and compiled in ${Math.round((performance.now() - began) / 1000)} s`);
    process.stdout.write(await runProject(folder, { services, run }));
  } catch (error) {
    throw new Error(
      `The ${name} versions of the peer dependencies do not work: ${list.join(' ')}\n${error.message}`,
    );
  }
}

const wanted = process.argv.slice(2);
const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const sets = await versionSets(peerDependencies, run);
const unknown = wanted.filter((name) => !(name in sets));
if (unknown.length > 0)
  throw new Error(`Unknown version set: ${unknown.join(', ')}. Known: lowest, highest.`);

const scratch = mkdtempSync(join(tmpdir(), 'flowrra-peers-'));
const services = await startServices();
try {
  const [packed] = JSON.parse(
    await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch]),
  );
  const tarball = join(scratch, packed.filename);
  for (const [name, versions] of Object.entries(sets)) {
    if (wanted.length === 0 || wanted.includes(name)) await check(name, versions, { tarball, services });
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await services.stop();
  rmSync(scratch, { recursive: true, force: true });
}
