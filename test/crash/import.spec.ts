import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../support/fixtures.js';
import { DRIVER } from '../support/sqlite.js';
import { until } from '../support/until.js';

const ROWS = 10_000;
/** The import stores its position after this number of rows. */
const EVERY = 1_000;
const KILLED_AFTER = 3_500;

const here = dirname(fileURLToPath(import.meta.url));
const name = DRIVER.replace(':', '-');
const sample = compileFixtures(join(here, '../../sample-app'), `import-sample-${name}`);
const fixtures = compileFixtures(join(here, 'fixtures'), `import-${name}`);
const folder = mkdtempSync(join(tmpdir(), 'flowrra-import-'));
const running = new Set<ChildProcess>();

afterEach(() => running.forEach((child) => child.kill('SIGKILL')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a process that runs the import, and gives the numbers of the rows that it has imported. */
function start(run: number, csv: string | null) {
  const imported = join(folder, `imported-${run}`);
  const settings = {
    file: join(folder, 'tasks.db'),
    driver: DRIVER,
    imported,
    sample,
    csv,
    taskId: 'prices',
  };
  const program = join(fixtures, 'importer.js');
  const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.add(child);
  const ended = once(child, 'close').finally(() => running.delete(child));
  const rows = (): number[] =>
    existsSync(imported) ? (readFileSync(imported, 'utf8').match(/\d+/g) ?? []).map(Number) : [];
  return { child, ended, rows, printed: text(child.stdout) };
}

it('an import goes on after its last stored row once its process was killed', async () => {
  const csv = join(folder, 'prices.csv');
  writeFileSync(csv, Array.from({ length: ROWS }, (_, n) => `sku-${n + 1},${n}\n`).join(''));
  const first = start(1, csv);
  await until(() => first.rows().length >= KILLED_AFTER, { describe: 'some rows are imported' });
  first.child.kill('SIGKILL');
  expect(await first.ended).toEqual([null, 'SIGKILL']);
  const done = first.rows().length;
  expect(done).toBeLessThan(ROWS);

  const second = start(2, null);
  await second.ended;
  expect(JSON.parse(await second.printed)).toMatchObject({
    status: 'success',
    steps: [{ kind: 'each', name: 'rows', status: 'done' }],
  });
  const [from = 0, ...rest] = second.rows();
  expect(from).toBeGreaterThan(done - EVERY);
  expect(from).toBeLessThanOrEqual(done + 1);
  expect(rest).toEqual(Array.from({ length: ROWS - from }, (_, n) => from + n + 1));
});
