import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './documents.js';

const bin = (name: string): string => join(root, 'node_modules/.bin', name);
/** What `nest new` puts into a project. */
const NEW_PROJECT = join(root, 'node_modules/@nestjs/schematics/dist/lib/application/files/ts-esm');
const QUICK_START = 'sample-app/quick-start.ts';

/** Throws with what the program prints, unless it ends with 0. */
function run(program: string, ...args: string[]): void {
  execFileSync(bin(program), [...args, QUICK_START], { cwd: root, encoding: 'utf8' });
}

it('lints clean in a new project of Nest 12', () => {
  run('oxlint', '--type-aware', '--deny-warnings', '-c', join(NEW_PROJECT, '.oxlintrc.json'));
});

// The check of the packed library lints it with ESLint, as a new project of Nest 11 does.
it('keeps the rules that fail most often in a new project of Nest 11', () => {
  run('oxlint', '--type-aware', '--deny=typescript/require-await', '--deny=typescript/unbound-method');
});

it('is formatted as a new project formats it', () => {
  run('prettier', '--check', '--config', join(NEW_PROJECT, '.prettierrc'));
});
