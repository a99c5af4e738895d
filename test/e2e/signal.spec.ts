import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../support/fixtures.js';
import { tempFile } from '../support/sqlite.js';

const fixtures = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');

const out = compileFixtures(fixtures, 'signal');

/** Runs a program until a signal has ended it: what it printed, line by line, and that signal. */
async function ended(program: string, ...args: string[]): Promise<{ lines: string[]; by: unknown[] }> {
  const child = spawn(process.execPath, ['--no-warnings', join(out, program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const by = (await once(child, 'close')) as [number | null, string | null];
  return { lines: printed.trim().split('\n'), by };
}

it('a SIGTERM lets what runs and what waits finish, and then ends the process', async () => {
  const { lines, by } = await ended('signal.js');
  expect(lines).toEqual([
    'first started',
    'first done',
    'second started',
    'second done',
    'third started',
    'third done',
  ]);
  expect(by).toEqual([null, 'SIGTERM']);
});

it('on SQLite, what runs finishes while the server still answers, and what waits is there at the next start', async () => {
  const file = tempFile();
  const before = await ended('signal-server.js', file, 'first');
  expect(before.lines).toEqual([
    'first started',
    'answers 201 while it drains',
    'first done',
    'module destroyed',
    'shut down by SIGTERM',
  ]);
  expect(before.by).toEqual([null, 'SIGTERM']);
  const after = await ended('signal-server.js', file);
  expect(after.lines).toEqual([
    ...['second', 'from http', 'last'].flatMap((name) => [`${name} started`, `${name} done`]),
    'module destroyed',
    'shut down by SIGINT',
  ]);
  expect(after.by).toEqual([null, 'SIGINT']);
});
