import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../support/fixtures.js';

const fixtures = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');

it('a SIGTERM lets what runs and what waits finish, and then ends the process', async () => {
  const out = compileFixtures(fixtures, 'signal');
  const child = spawn(process.execPath, ['--no-warnings', join(out, 'signal.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(printed.trim().split('\n')).toEqual([
    'first started',
    'first done',
    'second started',
    'second done',
    'third started',
    'third done',
  ]);
  expect([code, signal]).toEqual([null, 'SIGTERM']);
});
