import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where `nest new` takes the files of a project from. */
const FILES = 'node_modules/@nestjs/schematics/dist/lib/application/files';

/** How a new project lints: the packages of its linter, its files, its command. */
const DEFAULTS = {
  11: {
    packages: [
      'eslint@9',
      '@eslint/js@9',
      'typescript-eslint@8',
      'eslint-config-prettier@10',
      'eslint-plugin-prettier@5',
      'globals@17',
      'prettier@3',
    ],
    files: ['ts/eslint.config.mjs', 'ts/.prettierrc'],
    command: ['eslint', '--max-warnings=0'],
  },
  12: {
    packages: ['oxlint@1', 'oxlint-tsgolint@7', 'prettier@3'],
    files: ['ts-esm/.oxlintrc.json', 'ts-esm/.prettierrc'],
    command: ['oxlint', '--type-aware', '--deny-warnings'],
  },
};

/** Lints the quick start in a project of that version of Nest as `nest new` sets it up. Throws if it is not clean. */
export function lintQuickStart(nest, folder, root, run) {
  const { packages, files, command } = DEFAULTS[nest];
  const platform = `@nestjs/platform-express@${nest}`;
  const install = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  run('npm', [...install, `@nestjs/schematics@${nest}`, platform, ...packages], folder);
  for (const file of files) copyFileSync(join(folder, FILES, file), join(folder, file.replace(/^.*\//, '')));
  copyFileSync(join(root, 'sample-app/quick-start.ts'), join(folder, 'src/quick-start.ts'));
  run('npx', ['tsc', '--noEmit', '-p', '.'], folder);
  run('npx', [...command, 'src/quick-start.ts'], folder);
  run('npx', ['prettier', '--check', 'src/quick-start.ts'], folder);
}
