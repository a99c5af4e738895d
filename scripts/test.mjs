// Runs the tests: all of them on this Node, SQLite by better-sqlite3, and then whatever touches
// SQLite once more by node:sqlite, on a Node that has it. Redis, PostgreSQL and MariaDB are started
// for them, unless FLOWRRA_TEST_REDIS_URL, FLOWRRA_TEST_POSTGRES_URL and FLOWRRA_TEST_MYSQL_URL name some.
//
//   node scripts/test.mjs              everything
//   node scripts/test.mjs --core       what needs no server
//   node scripts/test.mjs ARGS…        arguments for Jest, such as the tests to pick: one run
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeWithSqlite } from './node-with-sqlite.mjs';
import { startServices } from './services/services.mjs';
import { environment } from './services/variables.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const jest = join(root, 'node_modules/jest/bin/jest.js');
const ON_SQLITE = [
  'test/engines/sqlite',
  'test/sqlite',
  'test/crash',
  'test/durable/sqlite',
  'test/e2e/expenses.sqlite',
  'test/outbox/connection/libraries',
  'test/outbox/recipes/sqlite',
];
const ON_SERVERS = [
  'test/bullmq',
  'test/durable/postgres',
  'test/durable/redis',
  'test/e2e/expenses.redis',
  'test/e2e/sample-app.redis',
  'test/e2e/sample-app.postgres',
  'test/e2e/sample-outage',
  'test/e2e/sample-shop',
  'test/e2e/two-processes',
  'test/e2e/watch',
  'test/engines/bullmq',
  'test/fleet',
  'test/outbox/conformance-mysql',
  'test/outbox/conformance-postgres',
  'test/outbox/connection/libraries',
  'test/outbox/connection/nestjs-cls',
  'test/outbox/connection/servers',
  'test/outbox/crash',
  'test/outbox/databases',
  'test/outbox/direct',
  'test/outbox/engines',
  'test/outbox/recipes/mysql',
  'test/outbox/recipes/postgres',
  'test/outbox/recipes/transactional',
  'test/outbox/schema',
  'test/readme/fleet',
  'test/services',
  'test/telemetry/fleet',
];
const total = { passed: 0, failed: 0 };
let failed = false;

async function run(title, node, env, args) {
  console.log(`\n${title}`);
  const report = join(root, '.tmp/jest.json');
  rmSync(report, { force: true });
  const child = spawn(
    node,
    ['--experimental-vm-modules', '--no-warnings', jest, '--json', `--outputFile=${report}`, ...args],
    { cwd: root, stdio: ['inherit', 'ignore', 'inherit'], env: { ...process.env, ...env } },
  );
  const status = await new Promise((ended) => child.once('close', ended));
  if (status !== 0) failed = true;
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += numPassedTests;
  total.failed += numFailedTests;
}

async function runAll(env, args) {
  const here = `Node ${process.versions.node}, SQLite by better-sqlite3`;
  await run(here, process.execPath, { ...env, FLOWRRA_TEST_SQLITE: 'better-sqlite3' }, args);
  const node = nodeWithSqlite();
  const version = spawnSync(node, ['-p', 'process.versions.node']).stdout.toString().trim();
  const there = `Node ${version}, SQLite by node:sqlite`;
  await run(there, node, { ...env, FLOWRRA_TEST_SQLITE: 'node:sqlite' }, ON_SQLITE);
}

mkdirSync(join(root, '.tmp'), { recursive: true });
const args = process.argv.slice(2);
if (args[0] === '--core') {
  console.log(`Left out, since they need servers: ${ON_SERVERS.join(', ')}`);
  await runAll({}, ['--testPathIgnorePatterns', ...ON_SERVERS]);
} else if (args.length > 0) {
  const env = { FLOWRRA_TEST_SQLITE: process.env.FLOWRRA_TEST_SQLITE ?? 'better-sqlite3' };
  await run(`Node ${process.versions.node}`, process.execPath, env, args);
} else {
  const services = await startServices({ mariadb: true });
  try {
    await runAll(environment(services), []);
  } finally {
    await services.stop();
  }
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(failed ? 1 : 0);
