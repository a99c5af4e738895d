// Runs the tests: all of them on this Node, SQLite by better-sqlite3, and then whatever touches
// SQLite once more by node:sqlite, on a Node that has it. Arguments go to Jest; with any that picks
// tests, only the first run is made.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeWithSqlite } from './node-with-sqlite.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const jest = join(root, 'node_modules/jest/bin/jest.js');
const ON_SQLITE = ['test/engines/sqlite', 'test/sqlite', 'test/crash'];
const total = { passed: 0, failed: 0 };
let failed = false;

function run(title, node, driver, args) {
  console.log(`\n${title}`);
  const report = join(root, '.tmp/jest.json');
  rmSync(report, { force: true });
  const { status } = spawnSync(
    node,
    ['--experimental-vm-modules', '--no-warnings', jest, '--json', `--outputFile=${report}`, ...args],
    {
      cwd: root,
      stdio: ['inherit', 'ignore', 'inherit'],
      env: { ...process.env, FLOWRRA_TEST_SQLITE: driver },
    },
  );
  if (status !== 0) failed = true;
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += numPassedTests;
  total.failed += numFailedTests;
}

mkdirSync(join(root, '.tmp'), { recursive: true });
const args = process.argv.slice(2);
run(`Node ${process.versions.node}, SQLite by better-sqlite3`, process.execPath, 'better-sqlite3', args);
if (args.length === 0) {
  const node = nodeWithSqlite();
  const version = spawnSync(node, ['-p', 'process.versions.node']).stdout.toString().trim();
  run(`Node ${version}, SQLite by node:sqlite`, node, 'node:sqlite', ON_SQLITE);
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(failed ? 1 : 0);
