// Packs the library as it would be published, and uses it as its users do: in a Nest 12 application
// of ES modules, there also under Vitest, and in a Nest 11 one of CommonJS, there also under Jest. Prints what it saw.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

const TASKS = (file) => `
import { map, type Observable } from 'rxjs';
import {
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { OnTask, Task, TaskContext, TaskCtx, type TaskEvent, TaskExecutionContext } from 'flowrra';

@Injectable()
class NoMallory implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return TaskExecutionContext.create(context).getArgs<[string]>()[0] !== 'Mallory';
  }
}

@Injectable({ scope: Scope.REQUEST })
class Exclaim implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<string> {
    return next.handle().pipe(map((text: string) => text + '!'));
  }
}

@Injectable()
class Trim implements PipeTransform<string> {
  transform(value: string): string {
    if (value === '') throw new BadRequestException('nobody');
    return value.trim();
  }
}

@Catch(RangeError)
class Instead implements ExceptionFilter<RangeError> {
  catch(error: RangeError): string {
    return 'instead of ' + error.message;
  }
}

@Injectable()
@UseGuards(NoMallory)
@UseInterceptors(Exclaim)
export class Polite {
  @UsePipes(Trim)
  @UseFilters(Instead)
  @Task({ maxRetries: 0 })
  greet(name: string): string {
    if (name === 'Eve') throw new RangeError(name);
    return 'hello ' + name;
  }
}

@Injectable()
export class Watch {
  heard = 0;

  @OnTask(['succeeded', 'failed'], { task: 'Polite.greet' })
  hear(_event: TaskEvent<'succeeded' | 'failed'>): void {
    this.heard++;
  }
}

@Injectable()
export class Tasks {
  @Task()
  async greet(name: string, @TaskCtx() ctx: TaskContext): Promise<{ text: string }> {
    return { text: \`hello \${name}, attempt \${ctx.attempt}\` };
  }

  @Task({ cpuBound: true${file} })
  square(n: number): number {
    return n * n;
  }
}
`;

const MAIN = (extension) => `
import 'reflect-metadata';
import { Global, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { sqlite } from 'flowrra/sqlite';
import { resultBackendConformance } from 'flowrra/testing';
import { Polite, Tasks, Watch } from './tasks${extension}';

const closing: string[] = [];

/** Another module's client, which has to stay open until every job is done. */
@Injectable()
class Database implements OnModuleDestroy {
  onModuleDestroy(): void {
    closing.push('database closed');
  }
}

@Global()
@Module({ providers: [Database], exports: [Database] })
class DatabaseModule {}

@Module({ imports: [DatabaseModule, FlowrraModule.forRoot({ cpuWorkers: 1 })], providers: [Tasks, Polite, Watch] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  const flowrra = app.get(FlowrraService);
  const tasks = app.get(Tasks);
  const greeted = await flowrra.waitForResult(await flowrra.submit(tasks.greet, 'Ada'));
  const text: string | undefined = greeted.isSuccess ? greeted.result.text : undefined;
  const squared = await flowrra.waitForResult(await flowrra.tasks(Tasks).square(12));
  const polite: unknown[] = [];
  for (const name of [' Ada ', 'Mallory', 'Eve']) {
    const { result, errors } = await flowrra.waitForResult(await flowrra.tasks(Polite).greet(name));
    polite.push(result ?? errors[0]?.code);
  }
  polite.push(await flowrra.tasks(Polite).greet('').catch((error: Error) => error.message), app.get(Watch).heard);
  // @ts-expect-error a wrong argument does not compile
  await flowrra.submit(tasks.square, 'twelve');
  flowrra.register({ name: 'late' }, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    closing.push('job done');
  });
  for (let n = 0; n < 10; n++) await flowrra.submit('late');
  await app.close();
  @Module({ imports: [FlowrraModule.forRoot({ engine: sqlite({ file: './tasks.db' }) })] })
  class DurableModule {}
  const durable = await NestFactory.createApplicationContext(DurableModule, { logger: false, abortOnError: false })
    .then((other) => other.close())
    .then(() => 'kept in a file')
    .catch((error: Error) => (error.message.includes('npm install better-sqlite3') ? 'no driver' : error.message));
  const missing: string[] = [];
  for (const engine of ['redis://127.0.0.1:1', 'postgres://nobody@127.0.0.1:1/nothing']) {
    @Module({ imports: [FlowrraModule.forRoot({ engine })] })
    class FleetModule {}
    await NestFactory.createApplicationContext(FleetModule, { logger: false, abortOnError: false }).catch(
      (error: Error) => missing.push(/npm install [\\w ]+/.exec(error.message)?.[0] ?? error.message.slice(0, 20)),
    );
  }
  for (const optional of ['flowrra/health', 'flowrra/telemetry']) {
    await import(optional).then(
      () => missing.push(\`\${optional} loads\`),
      (error: Error) => missing.push(/Cannot find package '([^']+)'/.exec(error.message)?.[1] ?? error.message),
    );
  }
  const drained = closing.length === 11 && closing[10] === 'database closed';
  console.log(JSON.stringify([text, squared.result, ...polite, typeof resultBackendConformance, drained ? 'drained' : closing, durable, ...missing]));
}

void main();
`;

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

const SPEC = `
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { FlowrraTesting, FlowrraTestingModule } from 'flowrra/testing';
import { Tasks } from './tasks';

it('tests a task with the test kit', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot()],
    providers: [Tasks],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  const id = await flowrra.with({ delay: '5m' }).submit('Tasks.square', 12);
  await flowrra.clock.advance('5m');
  expect(await flowrra.getResult(id)).toMatchObject({ result: 144 });
  expect(flowrra.submitted(Tasks, 'square')[0]?.args).toEqual([12]);
  await module.close();
});

it('runs a task under Jest', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraModule.forRoot({ cpu: { mode: 'inline' } })],
    providers: [Tasks],
  }).compile();
  const app = await module.init();
  const flowrra = app.get(FlowrraService);
  expect((await flowrra.waitForResult(await flowrra.tasks(Tasks).square(12))).result).toBe(144);
  await app.close();
});
`;

/** Compiled with all declarations checked: the types of this engine need BullMQ and nothing else. */
const FLEET = `
import { bullmq } from 'flowrra/bullmq';

export const engine = bullmq({ connection: { host: 'localhost' }, bullmq: { worker: { drainDelay: 1 } } });
// @ts-expect-error an option that is Flowrra's own
bullmq({ connection: 'redis://localhost', bullmq: { worker: { concurrency: 1 } } });
`;

/** Compiled with all declarations checked, and run: the optional parts with what Nest 11 has for them. */
const OBSERVED = `
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { FlowrraModule } from 'flowrra';
import { FlowrraHealthIndicator } from 'flowrra/health';
import { FlowrraTelemetryModule } from 'flowrra/telemetry';

@Module({
  imports: [TerminusModule, FlowrraModule.forRoot({ cpuWorkers: 1 }), FlowrraTelemetryModule.forRoot()],
  providers: [FlowrraHealthIndicator],
})
class ObservedModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(ObservedModule, { logger: ['error'] });
  const { tasks } = await app.get(FlowrraHealthIndicator).isHealthy('tasks', { maxPending: 1 });
  console.log(tasks.status);
  await app.close();
}

void main();
`;

/** Its types are checked, too: Vitest's own have a place for those of the matchers. */
const VITEST = `
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { FlowrraTesting, type FlowrraMatchers, flowrraMatchers, FlowrraTestingModule } from 'flowrra/testing';
import { expect, it } from 'vitest';
import { Tasks } from './tasks.js';

declare module 'vitest' { interface Matchers<T> extends FlowrraMatchers<T> {} }
expect.extend(flowrraMatchers);

it('tests a task with the test kit', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot()],
    providers: [Tasks],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  await flowrra.submit('Tasks.square', 12);
  expect(flowrra).toHaveSubmitted(Tasks, 'square', [12]);
  await flowrra.drain();
  await module.close();
});
`;

/** Without the declarations of Vitest's own dependencies, which ask for more packages. */
const SPEC_TYPES = JSON.stringify({
  extends: './tsconfig.json',
  compilerOptions: { skipLibCheck: true, noEmit: true },
  exclude: [],
});

/** The one line that a Jest project of CommonJS needs: this package and Nest's own are ES modules. */
const JEST = `module.exports = {
  testEnvironment: 'node',
  transform: { '^.+\\\\.(t|j)s$': 'ts-jest' },
  transformIgnorePatterns: ['/node_modules/(?!flowrra/)'],
};
`;

function project(name, { type, nest, compilerOptions, extension, packages = [], files = {}, missing }) {
  const folder = join(scratch, name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, type }));
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
        types: ['node', 'jest'].slice(0, packages.includes('@types/jest') ? 2 : 1),
        rootDir: 'src',
        outDir: 'out',
        ...compilerOptions,
      },
      include: ['src'],
      exclude: ['src/**/*.spec.ts'],
    }),
  );
  writeFileSync(join(folder, 'src/tasks.ts'), TASKS(''));
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
      'typescript@~6.0.3',
      '@types/node@20',
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
      !/^(dist\/.+\.(js|d\.ts)|docs\/\w+\.md|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path),
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
    packages: ['@nestjs/testing@12', 'vitest@4'],
    files: { 'src/tasks.spec.ts': VITEST, 'tsconfig.spec.json': SPEC_TYPES },
    missing: [
      'npm install bullmq ioredis',
      'npm install bullmq pg',
      '@nestjs/terminus',
      '@opentelemetry/api',
    ],
  });
  run('npx', ['tsc', '-p', 'tsconfig.spec.json'], nest12);
  run('npx', ['vitest', 'run', '--reporter=dot'], nest12);
  console.log('nest12-esm: its test compiles and passes under Vitest');
  const nest11 = project('nest11-commonjs', {
    type: 'commonjs',
    nest: '11',
    extension: '',
    compilerOptions: { module: 'NodeNext' },
    packages: [
      '@nestjs/testing@11',
      'jest@30',
      'ts-jest@29',
      '@types/jest@30',
      'bullmq@6',
      'ioredis@6',
      '@nestjs/terminus@11',
      '@opentelemetry/api@1',
    ],
    files: {
      'jest.config.js': JEST,
      'src/tasks.spec.ts': SPEC,
      'src/fleet.ts': FLEET,
      'src/observed.ts': OBSERVED,
    },
    missing: ['Redis cannot be used', 'npm install pg', 'flowrra/health loads', 'flowrra/telemetry loads'],
  });
  const health = run('node', ['--no-warnings', 'out/observed.js'], nest11).trim();
  if (health !== 'up') throw new Error(`nest11-commonjs: the health check printed ${health}`);
  console.log('nest11-commonjs: its health check is up');
  run('npx', ['jest', '--silent'], nest11);
  console.log('nest11-commonjs: its test passes under Jest');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
