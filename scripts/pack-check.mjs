// Packs the library as it would be published, and uses it as its users do: in a Nest 12 application
// of ES modules and under Vitest there, in a Nest 11 one of CommonJS and under Jest there, and by each
// builder of docs/bundlers.md. Prints what it saw.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILDERS, checkBuilders } from './pack-check/bundled.mjs';
import { lintQuickStart } from './pack-check/lint.mjs';
import {
  FLEET,
  JEST,
  JEST_HEAD,
  MAIN,
  MATCHERS,
  OBSERVED,
  SPEC,
  SPECS_TSCONFIG,
  TASKS,
  VITEST_HEAD,
} from './pack-check/sources.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'flowrra-pack-'));

function run(command, args, cwd) {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: false,
  });
}

/** Neither project has better-sqlite3, so SQLite needs a Node that has a driver of its own. */
const DURABLE = process.getBuiltinModule('node:sqlite') ? 'kept in a file' : 'no driver';
const expected = (...missing) =>
  JSON.stringify([
    'hello Ada, attempt 1',
    144,
    'hello Ada!',
    'FLOWRRA_FORBIDDEN',
    'instead of Eve',
    'nobody',
    3,
    'function',
    'drained',
    DURABLE,
    ...missing,
  ]);

function project(
  name,
  { type, nest, compilerOptions, extension, packages = [], tools = [], files = {}, missing },
) {
  const folder = join(scratch, name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  const devDependencies = Object.fromEntries(
    ['typescript@~6.0.3', '@types/node@20', ...tools].map((tool) => [
      tool.slice(0, tool.lastIndexOf('@')),
      tool.slice(tool.lastIndexOf('@') + 1),
    ]),
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, type, devDependencies }));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        strict: true,
        skipLibCheck: false,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        esModuleInterop: true,
        isolatedModules: true,
        types: ['node'],
        rootDir: 'src',
        outDir: 'out',
        ...compilerOptions,
      },
      include: ['src'],
      exclude: ['src/**/*.spec.ts'],
    }),
  );
  writeFileSync(join(folder, 'src/tasks.ts'), TASKS);
  writeFileSync(join(folder, 'src/main.ts'), MAIN(extension));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  run(
    'npm',
    [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--loglevel=error',
      tarball,
      `@nestjs/common@${nest}`,
      `@nestjs/core@${nest}`,
      'rxjs@7',
      'reflect-metadata@0.2',
      ...packages,
    ],
    folder,
  );
  run('npx', ['tsc', '-p', '.'], folder);
  const printed = run('node', ['--no-warnings', 'out/main.js'], folder).trim();
  if (printed !== expected(...missing))
    throw new Error(`${name} printed ${printed}, not ${expected(...missing)}`);
  console.log(`${name}: compiles and prints ${printed}`);
  return folder;
}

const [packed] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], root),
);
const tarball = join(scratch, packed.filename);
try {
  const paths = packed.files.map(({ path }) => path);
  const strange = paths.filter(
    (path) =>
      !/^(dist\/.+\.(js|d\.ts)|docs\/[\w-]+\.md|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path),
  );
  if (strange.length > 0) throw new Error(`These files should not be published: ${strange.join(', ')}`);
  console.log(`${packed.filename}: ${paths.length} files, ${Math.round(packed.size / 1024)} KiB`);

  run('npx', ['publint', '--strict', tarball], root);
  run('npx', ['attw', tarball, '--ignore-rules', 'cjs-resolves-to-esm', '--format', 'ascii'], root);
  console.log('publint and attw find nothing');

  const nest12 = project('nest12-esm', {
    type: 'module',
    nest: '12',
    extension: '.js',
    compilerOptions: { module: 'NodeNext' },
    tools: ['@nestjs/testing@12', 'vitest@4'],
    files: {
      'src/matchers.spec.ts': MATCHERS(VITEST_HEAD, '.js'),
      'tsconfig.specs.json': SPECS_TSCONFIG(),
    },
    missing: [
      'npm install bullmq ioredis',
      'npm install bullmq pg',
      '@nestjs/terminus',
      '@opentelemetry/api',
    ],
  });
  run('npx', ['tsc', '-p', 'tsconfig.specs.json'], nest12);
  run('npx', ['vitest', 'run'], nest12);
  console.log('nest12-esm: its test compiles, and passes under Vitest');
  lintQuickStart(12, nest12, root, run);
  const nest11 = project('nest11-commonjs', {
    type: 'commonjs',
    nest: '11',
    extension: '',
    compilerOptions: { module: 'NodeNext' },
    packages: ['bullmq@6', 'ioredis@6', '@nestjs/terminus@11', '@opentelemetry/api@1'],
    tools: ['@nestjs/testing@11', 'jest@30', 'ts-jest@29', '@types/jest@30', ...BUILDERS],
    files: {
      'jest.config.js': JEST,
      'src/tasks.spec.ts': SPEC,
      'src/matchers.spec.ts': MATCHERS(JEST_HEAD, ''),
      'tsconfig.specs.json': SPECS_TSCONFIG('jest'),
      'src/fleet.ts': FLEET,
      'src/observed.ts': OBSERVED,
    },
    missing: ['Redis cannot be used', 'npm install pg', 'flowrra/health loads', 'flowrra/telemetry loads'],
  });
  const health = run('node', ['--no-warnings', 'out/observed.js'], nest11).trim();
  if (health !== 'up') throw new Error(`nest11-commonjs: the health check printed ${health}`);
  console.log('nest11-commonjs: its health check is up');
  run('npx', ['tsc', '-p', 'tsconfig.specs.json'], nest11);
  run('npx', ['jest', '--silent'], nest11);
  console.log('nest11-commonjs: its tests compile, and pass under Jest');
  const began = Date.now();
  checkBuilders({ root, installed: nest11, run });
  console.log(`docs/bundlers.md holds; that took ${Math.round((Date.now() - began) / 1000)} s`);
  lintQuickStart(11, nest11, root, run);
  console.log('The quick start lints clean in new projects of Nest 12 and 11');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
