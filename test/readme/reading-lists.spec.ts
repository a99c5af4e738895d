import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, textOf } from './documents.js';

/** The numbered files below a line of CONTRIBUTING.md. */
function listBelow(line: string): string[] {
  const [, after = ''] = textOf('CONTRIBUTING.md').split(`\n${line}\n`);
  const [, list = ''] = /^\n((?:\d+\. .*\n)+)/.exec(after) ?? [];
  return [...list.matchAll(/^\d+\. `(.*)`$/gm)].map(([, file]) => file as string);
}

it.each([
  ['On the memory engine:', 12],
  ['Over BullMQ:', 16],
])('a job is followed in few files that exist: %s', (line, most) => {
  const files = listBelow(line);
  expect(files.length).toBeGreaterThan(5);
  expect(files.length).toBeLessThanOrEqual(most);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
