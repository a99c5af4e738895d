// What docs/bundlers.md says, tried with the code that it shows: each builder makes of the same sources an
// application whose threads have a module of their own.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The builders, for the project whose installation they share. */
export const BUILDERS = ['@nestjs/cli@11', '@swc/cli@0.7', '@swc/core@1', 'ts-loader@9', 'esbuild@0.28'];

const REPORTS = `
import { Injectable } from '@nestjs/common';
import { Task } from 'flowrra';

@Injectable()
export class Rates {
  readonly vat = 0.2;
}

@Injectable()
export class Reports {
  constructor(private readonly rates: Rates) {}

  @Task({ cpuBound: true })
  gross(net: number): number {
    return net * (1 + this.rates.vat);
  }
}
`;

const CPU_MODULE = (reports) => `
import { Module } from '@nestjs/common';
import { Rates, Reports } from '${reports}';

@Module({ providers: [Rates, Reports] })
export default class CpuModule {}
`;

/** Prints a job's result, or why the application does not start. */
const MAIN = (reports) => `
import 'reflect-metadata';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { Rates, Reports } from '${reports}';

@Module({
  imports: [FlowrraModule.forRoot({ cpuWorkers: 1, cpu: { module: join(__dirname, 'cpu.module.js') } })],
  providers: [Rates, Reports],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  const flowrra = app.get(FlowrraService);
  const { result, error } = await flowrra.waitForResult(await flowrra.tasks(Reports).gross(100));
  console.log(result ?? error);
  await app.close();
}

main().catch((error: Error) => console.log(error.message));
`;

const TSCONFIG = (options, include) =>
  JSON.stringify({
    compilerOptions: {
      target: 'ES2022',
      module: 'NodeNext',
      strict: true,
      skipLibCheck: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      types: ['node'],
      ...options,
    },
    include,
  });

/**
 * @param root The repository.
 * @param installed A NestJS 11 project of CommonJS, with what its folders of packages hold.
 * @param run Runs a command in a folder and returns what it printed.
 */
export function checkBuilders({ root, installed, run }) {
  const page = readFileSync(join(root, 'docs/bundlers.md'), 'utf8');
  const shown = (language) => {
    const [, code] = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page) ?? [];
    if (code === undefined) throw new Error(`docs/bundlers.md shows nothing in ${language}`);
    return code;
  };
  const prints = (what, expected, folder, file) => {
    const printed = run('node', ['--no-warnings', file], folder).trim();
    if (!printed.startsWith(expected)) throw new Error(`${what}: printed ${printed}, not ${expected}`);
    console.log(`${what}: prints ${expected}`);
  };
  const app = folderBeside(installed, 'bundled', {
    'src/reports.ts': REPORTS,
    'src/cpu.module.ts': CPU_MODULE('./reports'),
    'src/main.ts': MAIN('./reports'),
    'tsconfig.json': TSCONFIG({ rootDir: 'src', outDir: 'dist' }, ['src']),
    'nest-cli.json': JSON.stringify({ sourceRoot: 'src', compilerOptions: { deleteOutDir: true } }),
    'webpack.config.js': shown('js'),
  });

  for (const line of shown('sh').trim().split('\n')) run('sh', ['-c', line], app);
  prints('tsc', '120', app, 'build/main.js');
  prints('esbuild', '120', app, 'dist/main.js');
  const all = ['build/main.js', '--bundle', '--platform=node', '--outfile=all/main.js'];
  const others = ['@nestjs/*', 'rxjs', 'piscina', 'bullmq', 'ioredis', 'pg', 'better-sqlite3'];
  run('npx', ['esbuild', ...all, '--log-level=error', ...others.map((name) => `--external:${name}`)], app);
  prints(
    'esbuild, with flowrra in the bundle',
    'cpu.module: the package flowrra is bundled into',
    app,
    'all/main.js',
  );
  run('npx', ['nest', 'build', '--builder', 'swc'], app);
  // The CLI keeps the folder of the sources where tsconfig.json has a rootDir.
  prints('SWC', '120', app, 'dist/src/main.js');
  run('npx', ['nest', 'build', '--builder', 'webpack'], app);
  prints('webpack', '120', app, 'dist/main.js');
  rmSync(join(app, 'dist/cpu.module.js'));
  prints('webpack, without the bundle of the threads', 'cpu.module: there is no file', app, 'dist/main.js');

  const monorepo = folderBeside(installed, 'monorepo', {
    'apps/api/src/main.ts': MAIN('@app/reports'),
    'apps/api/src/cpu.module.ts': CPU_MODULE('@app/reports'),
    'apps/api/tsconfig.app.json': TSCONFIG(
      {
        rootDir: '../..',
        outDir: '../../dist/apps/api',
        paths: { '@app/reports': ['../../libs/reports/src'] },
      },
      ['src'],
    ),
    'libs/reports/src/index.ts': REPORTS,
    'nest-cli.json': shown('json'),
    'webpack.config.js': shown('js'),
  });
  run('npx', ['nest', 'build', 'api'], monorepo);
  prints('monorepo', '120', monorepo, 'dist/apps/api/main.js');

  const image = folderBeside(installed, 'image', {}, false);
  cpSync(join(installed, 'package-lock.json'), join(image, 'package-lock.json'));
  cpSync(join(app, 'build'), join(image, 'dist'), { recursive: true });
  const last = shown('dockerfile').split('\nFROM ').at(-1);
  for (const [, command] of last.matchAll(/^RUN (.*)$/gm))
    run('sh', ['-c', `${command} --prefer-offline --no-audit --no-fund --loglevel=error`], image);
  const [, ...command] = JSON.parse(/^CMD (.*)$/m.exec(last)[1]);
  prints('Docker', '120', image, ...command);
}

/** A folder of another project that has the same packages. */
function folderBeside(installed, name, files, linked = true) {
  const folder = join(dirname(installed), name);
  mkdirSync(folder);
  cpSync(join(installed, 'package.json'), join(folder, 'package.json'));
  if (linked) symlinkSync(join(installed, 'node_modules'), join(folder, 'node_modules'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}
