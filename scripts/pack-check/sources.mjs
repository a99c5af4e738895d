// What the applications consist of that the packed library is tried in.

export const TASKS = `
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

  @Task({ cpuBound: true })
  square(n: number): number {
    return n * n;
  }
}
`;

/** @param extension What an import of another file ends with. */
export const MAIN = (extension) => `
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

export const SPEC = `
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

/** @param head What makes the matchers known to a test runner and to the compiler. */
export const MATCHERS = (head, extension) => `
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { FlowrraTesting, type FlowrraMatchers, flowrraMatchers, FlowrraTestingModule } from 'flowrra/testing';
import { Tasks } from './tasks${extension}';
${head}

expect.extend(flowrraMatchers);

it('knows the matchers', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot()],
    providers: [Tasks],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  expect(flowrra).not.toHaveSubmitted(Tasks, 'greet');
  const id = await flowrra.with({ delay: '5m' }).submit('Tasks.greet', 'Ada');
  await flowrra.clock.advance('5m');
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'success' });
  expect(flowrra).toHaveSubmitted(Tasks, 'greet', [expect.any(String)]);
  expect(flowrra).toHaveSubmitted('Tasks.greet', ['Ada']);
  expect(() => expect(flowrra).toHaveSubmitted(Tasks, 'greet', ['Bob'])).toThrow("with ['Ada']");
  // @ts-expect-error no method of that class
  expect(() => expect(flowrra).toHaveSubmitted(Tasks, 'greets')).toThrow();
  await expect(flowrra).not.toHaveScheduled('greeting');
  await flowrra.schedules.set('greeting', { every: '15m' }, 'Tasks.greet', 'Ada');
  await expect(flowrra).toHaveScheduled('greeting', { every: '15m', paused: null, next: expect.any(Date) });
  // @ts-expect-error no property of a schedule
  await expect(expect(flowrra).toHaveScheduled('greeting', { evry: '15m' })).rejects.toThrow('every');
  await module.close();
});
`;
export const JEST_HEAD = `
declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}`;
export const VITEST_HEAD = `
import { expect, it } from 'vitest';

declare module 'vitest' {
  interface Matchers<T> extends FlowrraMatchers<T> {}
}`;

/** Test runners' own declarations are not ours to check. */
export const SPECS_TSCONFIG = (...types) =>
  JSON.stringify({
    extends: './tsconfig.json',
    compilerOptions: { skipLibCheck: true, noEmit: true, types: ['node', ...types] },
    exclude: [],
  });

/** Compiled with all declarations checked: the types of this engine need BullMQ and nothing else. */
export const FLEET = `
import { bullmq } from 'flowrra/bullmq';

export const engine = bullmq({ connection: { host: 'localhost' }, bullmq: { worker: { drainDelay: 1 } } });
// @ts-expect-error an option that is Flowrra's own
bullmq({ connection: 'redis://localhost', bullmq: { worker: { concurrency: 1 } } });
`;

/** Compiled with all declarations checked, and run: the optional parts with what Nest 11 has for them. */
export const OBSERVED = `
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

/** The one line that a Jest project of CommonJS needs: this package and Nest's own are ES modules. */
export const JEST = `module.exports = {
  testEnvironment: 'node',
  transform: { '^.+\\\\.(t|j)s$': 'ts-jest' },
  transformIgnorePatterns: ['/node_modules/(?!flowrra/)'],
};
`;
