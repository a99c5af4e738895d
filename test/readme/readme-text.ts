import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** A file of the repository. */
export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

export const readme = textOf('README.md');
